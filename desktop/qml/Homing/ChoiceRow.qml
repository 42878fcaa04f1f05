pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Controls.Basic
import QtQuick.Layouts

RowLayout {
    id: root

    required property var choices
    required property string chosen

    signal picked(value: string)

    function focusChosen(): void {
        step(0);
    }

    function step(by: int): void {
        const at = choices.findIndex(choice => choice.value === chosen) + by;
        const item = repeater.itemAt(Math.max(0, Math.min(choices.length - 1, at))) as AbstractButton;
        item.forceActiveFocus(Qt.TabFocusReason);
        if (by !== 0)
            item.click();
    }

    spacing: 8

    Repeater {
        id: repeater

        model: root.choices

        AbstractButton {
            id: choice

            required property var modelData

            readonly property bool _on: modelData.value === root.chosen

            objectName: "choice-" + modelData.value
            Layout.fillWidth: true
            Layout.preferredWidth: 1
            implicitHeight: Theme.control
            hoverEnabled: true
            focusPolicy: _on ? Qt.StrongFocus : Qt.ClickFocus
            text: modelData.text
            Accessible.role: Accessible.RadioButton
            Accessible.name: text
            Accessible.checked: _on
            Keys.onLeftPressed: root.step(-1)
            Keys.onRightPressed: root.step(1)
            Keys.onReturnPressed: click()
            Keys.onEnterPressed: click()
            onClicked: root.picked(modelData.value)

            contentItem: Text {
                text: choice.text
                textFormat: Text.PlainText
                horizontalAlignment: Text.AlignHCenter
                verticalAlignment: Text.AlignVCenter
                color: choice._on ? Theme.accent : Theme.text
                font.pixelSize: Theme.smallSize
                font.weight: choice._on ? Font.DemiBold : Font.Normal
            }
            background: Rectangle {
                radius: Theme.radius
                color: choice.down ? Theme.pressed : choice.hovered ? Theme.hover : "transparent"
                border.width: choice._on ? 2 : 1
                border.color: choice._on ? Theme.accent : Theme.fieldBorder

                FocusRing {
                    anchors.margins: -4
                    shown: choice.visualFocus
                }
            }
        }
    }
}
