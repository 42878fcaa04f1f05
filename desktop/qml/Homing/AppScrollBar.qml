import QtQuick
import QtQuick.Controls.Basic

ScrollBar {
    id: root

    padding: 2
    minimumSize: 0.06

    contentItem: Rectangle {
        implicitWidth: 8
        radius: 4
        color: root.pressed ? Theme.muted : Theme.fieldBorder
        opacity: root.size >= 1 ? 0 : root.active || root.hovered ? 0.9 : 0.35

        Behavior on opacity {
            NumberAnimation {
                duration: Theme.calm
            }
        }
    }
    background: null
}
