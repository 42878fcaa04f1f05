pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Controls.Basic

Column {
    id: root

    required property var segment

    readonly property bool _tool: segment.kind === "tool"
    property bool _open: false

    spacing: 6

    AbstractButton {
        id: head

        implicitHeight: 28
        leftPadding: 6
        rightPadding: 10
        hoverEnabled: true
        focusPolicy: Qt.NoFocus
        text: root._tool ? root.segment.name : qsTr("Reasoning")
        Accessible.role: Accessible.Button
        Accessible.name: root._open ? qsTr("Hide %1").arg(text) : qsTr("Show %1").arg(text)
        onClicked: root._open = !root._open

        contentItem: Row {
            spacing: 8

            Icon {
                anchors.verticalCenter: parent.verticalCenter
                icon: root._tool ? "tool" : "thought"
                size: 15
            }
            Text {
                anchors.verticalCenter: parent.verticalCenter
                text: head.text
                textFormat: Text.PlainText
                color: Theme.muted
                font.pixelSize: Theme.smallSize
            }
            Icon {
                anchors.verticalCenter: parent.verticalCenter
                icon: "chevron"
                size: 12
                rotation: root._open ? 90 : 0
            }
        }
        background: Rectangle {
            radius: 6
            color: head.down ? Theme.pressed : head.hovered ? Theme.hover : "transparent"
        }
    }
    Item {
        visible: root._open
        width: root.width
        implicitHeight: body.implicitHeight

        Rectangle {
            x: 12
            width: 2
            height: parent.height
            radius: 1
            color: Theme.border
        }
        SelectableText {
            id: body

            x: 26
            width: parent.width - 26
            color: Theme.muted
            font.pixelSize: Theme.smallSize
            font.family: root._tool ? "monospace" : Qt.application.font.family
            text: root._tool ? [root.segment.arguments, root.segment.result].filter(part => part !== "").join("\n\n") : root.segment.text
        }
    }
}
