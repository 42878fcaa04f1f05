import QtQuick
import QtQuick.Controls.Basic
import QtQuick.Layouts

ApplicationWindow {
    id: root

    required property QtObject viewModel

    objectName: "storeProblem"
    width: 460
    height: column.implicitHeight + 64
    minimumWidth: 360
    visible: true
    title: qsTr("Homing")
    color: Theme.background

    Shortcut {
        sequences: [StandardKey.Cancel]
        onActivated: root.viewModel.quit()
    }

    ColumnLayout {
        id: column

        anchors.left: parent.left
        anchors.right: parent.right
        anchors.verticalCenter: parent.verticalCenter
        anchors.margins: 32
        spacing: 16

        RowLayout {
            spacing: 12

            Icon {
                icon: "alert"
                size: 24
                color: Theme.red
            }
            Text {
                Layout.fillWidth: true
                text: root.viewModel.title
                textFormat: Text.PlainText
                wrapMode: Text.Wrap
                color: Theme.text
                font.pixelSize: 18
                font.weight: Font.DemiBold
            }
        }
        Text {
            objectName: "problemText"
            Layout.fillWidth: true
            text: root.viewModel.message
            textFormat: Text.PlainText
            wrapMode: Text.Wrap
            lineHeight: 1.3
            color: Theme.text
            font.pixelSize: Theme.bodySize
            Accessible.role: Accessible.AlertMessage
            Accessible.name: text
        }
        RowLayout {
            Layout.topMargin: 8
            spacing: 12

            AppButton {
                objectName: "tryAgainButton"
                focus: true
                primary: true
                text: qsTr("Try again")
                onClicked: root.viewModel.retry()
            }
            AppButton {
                text: qsTr("Open folder")
                onClicked: root.viewModel.open_folder()
            }
            Item {
                Layout.fillWidth: true
            }
            AppButton {
                objectName: "quitButton"
                flat_: true
                text: qsTr("Quit")
                onClicked: root.viewModel.quit()
            }
        }
    }
}
