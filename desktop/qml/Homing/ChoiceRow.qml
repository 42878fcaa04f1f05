pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Controls.Basic
import QtQuick.Layouts

RowLayout {
    id: root

    required property var choices
    required property string chosen

    signal picked(value: string)

    spacing: 8

    Repeater {
        model: root.choices

        AbstractButton {
            id: choice

            required property var modelData

            readonly property bool _on: modelData.value === root.chosen

            objectName: "choice-" + modelData.value
            Layout.fillWidth: true
            implicitHeight: Theme.control
            hoverEnabled: true
            focusPolicy: Qt.StrongFocus
            text: modelData.text
            Accessible.role: Accessible.RadioButton
            Accessible.name: text
            Accessible.checked: _on
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
