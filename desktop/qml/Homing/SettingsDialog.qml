pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Layouts

AppDialog {
    id: root

    required property QtObject viewModel

    component Heading: Text {
        Layout.bottomMargin: -8
        textFormat: Text.PlainText
        color: Theme.text
        font.pixelSize: Theme.smallSize
        font.weight: Font.DemiBold
        Accessible.role: Accessible.Heading
        Accessible.name: text
    }

    objectName: "settingsDialog"
    title: qsTr("Settings")
    onOpened: theme.focusChosen()

    Heading {
        text: qsTr("Theme")
    }
    ChoiceRow {
        id: theme

        Layout.fillWidth: true
        choices: [
            {
                value: "system",
                text: qsTr("System")
            },
            {
                value: "light",
                text: qsTr("Light")
            },
            {
                value: "dark",
                text: qsTr("Dark")
            }
        ]
        chosen: root.viewModel.theme
        onPicked: value => root.viewModel.choose_theme(value)
    }
    Heading {
        Layout.topMargin: 8
        text: qsTr("Your data on this computer")
    }
    SelectableText {
        Layout.fillWidth: true
        text: root.viewModel.folder
        wrapMode: TextEdit.WrapAnywhere
        color: Theme.muted
        font.pixelSize: Theme.smallSize
        Accessible.name: text
    }
    AppButton {
        objectName: "openFolderButton"
        text: qsTr("Open folder")
        onClicked: root.viewModel.open_data_folder()
    }
    Text {
        Layout.fillWidth: true
        visible: text !== ""
        text: root.viewModel.notice
        textFormat: Text.PlainText
        wrapMode: Text.Wrap
        color: Theme.red
        font.pixelSize: Theme.smallSize
    }
    Text {
        Layout.topMargin: 8
        text: qsTr("Homing %1").arg(root.viewModel.version)
        textFormat: Text.PlainText
        color: Theme.muted
        font.pixelSize: Theme.captionSize
    }
}
