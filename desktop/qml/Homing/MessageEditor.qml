pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Controls.Basic
import QtQuick.Layouts

FocusScope {
    id: root

    required property QtObject asides
    required property string messageId

    implicitHeight: column.implicitHeight
    Keys.onShortcutOverride: event => event.accepted = event.key === Qt.Key_Escape
    Keys.onEscapePressed: asides.cancel()

    ColumnLayout {
        id: column

        width: parent.width
        spacing: Theme.unit

        ScrollView {
            Layout.fillWidth: true
            Layout.preferredHeight: Math.min(320, input.implicitHeight)
            focus: true

            TextArea {
                id: input

                objectName: "messageEditor"
                focus: true
                leftPadding: 16
                rightPadding: 16
                topPadding: 12
                bottomPadding: 12
                textFormat: TextEdit.PlainText
                wrapMode: TextEdit.Wrap
                selectByMouse: true
                color: Theme.text
                selectionColor: Theme.selection
                selectedTextColor: Theme.text
                font.pixelSize: Theme.bodySize
                Accessible.role: Accessible.EditableText
                Accessible.name: qsTr("Edited message")
                Accessible.multiLine: true
                onTextChanged: {
                    if (activeFocus)
                        root.asides.typed(root.messageId, text);
                }
                Keys.onTabPressed: nextItemInFocusChain(true).forceActiveFocus(Qt.TabFocusReason)
                Keys.onBacktabPressed: nextItemInFocusChain(false).forceActiveFocus(Qt.BacktabFocusReason)
                Keys.onPressed: event => {
                    const enter = event.key === Qt.Key_Return || event.key === Qt.Key_Enter;
                    if (enter && !(event.modifiers & Qt.ShiftModifier) && !inputMethodComposing) {
                        root.asides.resend(text);
                        event.accepted = true;
                    }
                }

                background: Rectangle {
                    radius: 14
                    color: Theme.raised
                    border.width: input.activeFocus ? 2 : 1
                    border.color: input.activeFocus ? Theme.accent : Theme.fieldBorder
                }
            }
        }
        Text {
            Layout.fillWidth: true
            visible: text !== ""
            text: root.asides.error
            textFormat: Text.PlainText
            wrapMode: Text.Wrap
            color: Theme.red
            font.pixelSize: Theme.smallSize
            Accessible.role: Accessible.AlertMessage
            Accessible.name: text
        }
        RowLayout {
            Layout.alignment: Qt.AlignRight
            spacing: Theme.unit

            AppButton {
                objectName: "cancelEditButton"
                flat_: true
                enabled: !root.asides.busy
                text: qsTr("Cancel")
                onClicked: root.asides.cancel()
            }
            AppButton {
                objectName: "resendButton"
                primary: true
                busy: root.asides.busy
                enabled: !busy && input.text.trim() !== ""
                text: qsTr("Send again")
                onClicked: root.asides.resend(input.text)
            }
        }
    }

    Component.onCompleted: {
        input.text = asides.text_of(messageId);
        input.cursorPosition = input.length;
    }
}
