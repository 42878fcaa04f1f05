pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Controls.Basic
import QtQuick.Layouts

Popup {
    id: root

    required property QtObject viewModel

    signal asked(action: string)

    component Fact: RowLayout {
        property string label
        property string value

        visible: value !== ""
        spacing: Theme.unit

        Text {
            Layout.fillWidth: true
            text: parent.label
            textFormat: Text.PlainText
            color: Theme.muted
            font.pixelSize: Theme.smallSize
        }
        Text {
            text: parent.value
            textFormat: Text.PlainText
            color: Theme.text
            font.pixelSize: Theme.smallSize
        }
    }

    width: Math.min(340, (parent?.width ?? 340) - 16)
    padding: 16
    focus: true
    popupType: Popup.Item
    closePolicy: Popup.CloseOnEscape | Popup.CloseOnPressOutside

    background: Rectangle {
        color: Theme.raised
        border.color: Theme.border
        radius: 12
    }
    contentItem: ColumnLayout {
        spacing: 10
        Accessible.role: Accessible.Dialog
        Accessible.name: qsTr("Sync")

        RowLayout {
            spacing: 8

            Icon {
                Layout.alignment: Qt.AlignTop
                icon: root.viewModel.icon
                color: Theme.tone(root.viewModel.tone)
            }
            Text {
                Layout.fillWidth: true
                text: root.viewModel.line
                textFormat: Text.PlainText
                wrapMode: Text.Wrap
                color: Theme.text
                font.pixelSize: Theme.smallSize + 1
                font.weight: Font.DemiBold
            }
        }
        Text {
            Layout.fillWidth: true
            text: root.viewModel.explanation
            textFormat: Text.PlainText
            wrapMode: Text.Wrap
            lineHeight: 1.25
            color: Theme.muted
            font.pixelSize: Theme.smallSize
        }
        Rectangle {
            Layout.fillWidth: true
            implicitHeight: 1
            color: Theme.border
        }
        Fact {
            label: qsTr("Not yet synced")
            value: root.viewModel.pendingText || "0"
        }
        Fact {
            label: qsTr("Set aside")
            value: root.viewModel.rejectedText
        }
        Fact {
            label: qsTr("Waiting for your choice")
            value: root.viewModel.conflictsText
        }
        Fact {
            label: qsTr("On this computer")
            value: root.viewModel.historyText
        }
        Fact {
            label: qsTr("Last success")
            value: root.viewModel.lastSuccess
        }
        Text {
            Layout.fillWidth: true
            visible: text !== "" && text !== root.viewModel.line
            text: root.viewModel.lastError
            textFormat: Text.PlainText
            wrapMode: Text.Wrap
            color: Theme.tone(root.viewModel.tone)
            font.pixelSize: Theme.smallSize
        }
        Repeater {
            model: root.viewModel.actions

            AppButton {
                required property var modelData
                required property int index

                Layout.fillWidth: true
                Layout.topMargin: index === 0 ? 4 : -2
                objectName: modelData.name + "Button"
                focus: index === 0
                primary: index === 0
                text: modelData.text
                onClicked: {
                    if (modelData.name !== "syncNow")
                        root.close();
                    root.asked(modelData.name);
                }
            }
        }
    }
}
