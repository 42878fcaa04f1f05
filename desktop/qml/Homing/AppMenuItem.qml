import QtQuick
import QtQuick.Controls.Basic

MenuItem {
    id: root

    property string iconName: ""

    implicitHeight: 36
    leftPadding: 12
    rightPadding: 12
    height: visible ? implicitHeight : 0
    Accessible.name: text

    contentItem: Row {
        spacing: 12

        Icon {
            anchors.verticalCenter: parent.verticalCenter
            visible: root.iconName !== ""
            icon: root.iconName
        }
        Text {
            anchors.verticalCenter: parent.verticalCenter
            text: root.text
            textFormat: Text.PlainText
            color: root.enabled ? Theme.text : Theme.muted
            font.pixelSize: Theme.smallSize
        }
    }
    background: Rectangle {
        radius: 6
        color: root.highlighted || root.hovered ? Theme.hover : "transparent"
    }
}
