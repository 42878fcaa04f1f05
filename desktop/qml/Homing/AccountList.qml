pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Controls.Basic
import QtQuick.Layouts

ColumnLayout {
    id: root

    required property QtObject viewModel

    function focusFirst(): void {
        const row = Math.max(0, viewModel.accounts.findIndex(account => account.current));
        repeater.itemAt(row)?.forceActiveFocus(Qt.TabFocusReason);
    }

    spacing: 4

    Repeater {
        id: repeater

        model: root.viewModel.accounts

        AbstractButton {
            id: row

            required property var modelData
            required property int index

            objectName: "account-" + modelData.email
            Layout.fillWidth: true
            implicitHeight: 56
            hoverEnabled: true
            enabled: !root.viewModel.busy
            focusPolicy: Qt.StrongFocus
            text: modelData.email
            Accessible.role: Accessible.RadioButton
            Accessible.name: modelData.spoken
            Accessible.checked: modelData.current
            Keys.onReturnPressed: click()
            Keys.onEnterPressed: click()
            Keys.onUpPressed: repeater.itemAt(index - 1)?.forceActiveFocus(Qt.TabFocusReason)
            Keys.onDownPressed: repeater.itemAt(index + 1)?.forceActiveFocus(Qt.TabFocusReason)
            onClicked: root.viewModel.choose(modelData.accountId)

            contentItem: RowLayout {
                spacing: 12

                Rectangle {
                    Layout.leftMargin: 8
                    implicitWidth: 30
                    implicitHeight: 30
                    radius: 15
                    color: row.modelData.current ? Theme.accent : Theme.pressed

                    Text {
                        anchors.centerIn: parent
                        text: row.modelData.initial
                        textFormat: Text.PlainText
                        color: row.modelData.current ? Theme.accentInk : Theme.text
                        font.pixelSize: Theme.smallSize
                        font.weight: Font.DemiBold
                    }
                }
                ColumnLayout {
                    spacing: 1

                    Text {
                        Layout.fillWidth: true
                        text: row.text
                        textFormat: Text.PlainText
                        elide: Text.ElideMiddle
                        color: Theme.text
                        font.pixelSize: Theme.smallSize + 1
                        font.weight: row.modelData.current ? Font.DemiBold : Font.Normal
                    }
                    Text {
                        Layout.fillWidth: true
                        text: row.modelData.server + " · " + row.modelData.state
                        textFormat: Text.PlainText
                        elide: Text.ElideMiddle
                        color: Theme.muted
                        font.pixelSize: Theme.captionSize
                    }
                }
                Icon {
                    Layout.rightMargin: 10
                    visible: row.modelData.current
                    icon: "check"
                    color: Theme.accent
                }
            }
            background: Rectangle {
                radius: Theme.radius
                color: row.down ? Theme.pressed : row.hovered ? Theme.hover : row.modelData.current ? Theme.selected : "transparent"

                FocusRing {
                    shown: row.visualFocus
                }
            }
        }
    }
}
