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
                icon: root.viewModel.done ? "check" : "alert"
                size: 24
                color: root.viewModel.done ? Theme.accent : Theme.red
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
        Text {
            objectName: "problemError"
            Layout.fillWidth: true
            visible: text !== ""
            text: root.viewModel.error
            textFormat: Text.PlainText
            wrapMode: Text.Wrap
            color: Theme.red
            font.pixelSize: Theme.smallSize
            Accessible.role: Accessible.AlertMessage
            Accessible.name: text
        }
        ColumnLayout {
            Layout.topMargin: 8
            visible: root.viewModel.canRescue
            spacing: 10

            AppButton {
                objectName: "rescueButton"
                Layout.fillWidth: true
                focus: root.viewModel.canRescue
                primary: true
                busy: root.viewModel.busy
                enabled: !busy
                text: busy ? qsTr("Rescuing…") : qsTr("Rescue my chats")
                onClicked: root.viewModel.rescue()
            }
            Text {
                Layout.fillWidth: true
                text: qsTr("Keeps all that can be read and moves the damaged file aside. Nothing is deleted.")
                textFormat: Text.PlainText
                wrapMode: Text.Wrap
                color: Theme.muted
                font.pixelSize: Theme.captionSize
            }
            Text {
                Layout.fillWidth: true
                Layout.topMargin: 6
                visible: root.viewModel.backups.length > 0
                text: qsTr("Or start from a backup")
                textFormat: Text.PlainText
                color: Theme.text
                font.pixelSize: Theme.smallSize
                font.weight: Font.DemiBold
                Accessible.role: Accessible.Heading
                Accessible.name: text
            }
            GridLayout {
                Layout.fillWidth: true
                columns: 2
                columnSpacing: 8
                rowSpacing: 8

                Repeater {
                    model: root.viewModel.backups

                    AppButton {
                        required property var modelData
                        required property int index

                        objectName: "backup" + index
                        Layout.fillWidth: true
                        Layout.preferredWidth: 1
                        enabled: !root.viewModel.busy
                        text: modelData.when
                        Accessible.name: qsTr("Restore the backup of %1").arg(text)
                        onClicked: root.viewModel.restore(modelData.path)
                    }
                }
            }
        }
        RowLayout {
            Layout.topMargin: 8
            spacing: 12

            AppButton {
                objectName: "tryAgainButton"
                visible: !root.viewModel.canRescue
                focus: !root.viewModel.canRescue
                primary: true
                text: root.viewModel.done ? qsTr("Open Homing") : qsTr("Try again")
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
                enabled: !root.viewModel.busy
                text: qsTr("Quit")
                onClicked: root.viewModel.quit()
            }
        }
    }
}
