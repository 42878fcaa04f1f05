import QtQuick
import QtQuick.Controls.Basic

AbstractButton {
    id: root

    required property string iconName

    property color tint: Theme.muted
    property int iconSize: 18
    property bool hint: true

    implicitWidth: 32
    implicitHeight: 32
    hoverEnabled: true
    focusPolicy: Qt.StrongFocus
    opacity: enabled ? 1 : 0.4
    Accessible.role: Accessible.Button
    Accessible.name: text
    Keys.onReturnPressed: click()
    Keys.onEnterPressed: click()

    contentItem: Item {
        Icon {
            anchors.centerIn: parent
            icon: root.iconName
            size: root.iconSize
            color: root.hovered ? Theme.text : root.tint
        }
    }
    background: Rectangle {
        radius: Theme.radius
        color: root.down ? Theme.pressed : root.hovered ? Theme.hover : "transparent"

        FocusRing {
            shown: root.visualFocus
        }
    }

    HoverHint {
        text: root.text
        shown: root.hint && root.hovered && !root.down
    }
}
