pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Controls.Basic

FocusScope {
    id: root

    required property QtObject viewModel

    readonly property int _lines: 8

    implicitHeight: Math.min(input.implicitHeight, _lines * Math.ceil(metrics.lineSpacing) + input.topPadding + input.bottomPadding) + 4

    FontMetrics {
        id: metrics

        font: input.font
    }
    Rectangle {
        anchors.fill: parent
        radius: 14
        color: Theme.raised
        border.width: input.activeFocus ? 2 : 1
        border.color: input.activeFocus ? Theme.accent : Theme.fieldBorder
    }
    Flickable {
        id: scroll

        anchors.fill: parent
        anchors.margins: 2
        anchors.rightMargin: 52
        clip: true
        boundsBehavior: Flickable.StopAtBounds
        contentWidth: width

        ScrollBar.vertical: AppScrollBar {}

        TextArea.flickable: TextArea {
            id: input

            objectName: "composer"
            focus: true
            leftPadding: 16
            rightPadding: 8
            topPadding: 14
            bottomPadding: 14
            textFormat: TextEdit.PlainText
            wrapMode: TextEdit.Wrap
            selectByMouse: true
            color: Theme.text
            placeholderText: qsTr("Message")
            placeholderTextColor: Theme.muted
            selectionColor: Theme.selection
            selectedTextColor: Theme.text
            font.pixelSize: Theme.bodySize
            background: null
            Accessible.role: Accessible.EditableText
            Accessible.name: qsTr("Message")
            Accessible.multiLine: true
            onTextChanged: root.viewModel.edited(text)
            Keys.onTabPressed: nextItemInFocusChain(true).forceActiveFocus(Qt.TabFocusReason)
            Keys.onBacktabPressed: nextItemInFocusChain(false).forceActiveFocus(Qt.BacktabFocusReason)
            Keys.onPressed: event => {
                const enter = event.key === Qt.Key_Return || event.key === Qt.Key_Enter || event.text === "\n";
                if (enter && !(event.modifiers & Qt.ShiftModifier) && !inputMethodComposing) {
                    root.viewModel.send();
                    event.accepted = true;
                }
            }
        }
    }
    AbstractButton {
        id: send

        objectName: "sendButton"
        anchors.right: parent.right
        anchors.rightMargin: 8
        anchors.bottom: parent.bottom
        anchors.bottomMargin: 7
        width: 36
        height: 36
        enabled: root.viewModel.canSend
        hoverEnabled: true
        focusPolicy: Qt.TabFocus
        text: qsTr("Send")
        Accessible.role: Accessible.Button
        Accessible.name: text
        Keys.onReturnPressed: click()
        Keys.onEnterPressed: click()
        onClicked: {
            root.viewModel.send();
            input.forceActiveFocus();
        }

        contentItem: Item {
            Icon {
                anchors.centerIn: parent
                icon: "arrow-up"
                color: send.enabled ? Theme.accentInk : Theme.muted
            }
        }
        background: Rectangle {
            radius: 10
            color: {
                if (!send.enabled)
                    return Theme.pressed;
                return send.down ? Theme.accentPressed : send.hovered ? Theme.accentHover : Theme.accent;
            }

            FocusRing {
                radius: 12
                shown: send.visualFocus
            }
        }

        HoverHint {
            text: qsTr("Send (Enter)")
            shown: send.hovered && send.enabled
        }
    }
    Connections {
        target: root.viewModel

        function onReplaced(text: string): void {
            input.text = text;
            input.cursorPosition = input.length;
        }
        function onCut(start: int, end: int): void {
            input.remove(start, end);
        }
    }

    Component.onCompleted: {
        input.text = viewModel.text;
        input.cursorPosition = input.length;
    }
}
