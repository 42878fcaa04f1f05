import QtQuick

Rectangle {
    property bool shown: (parent as Item)?.activeFocus ?? false

    anchors.fill: parent
    anchors.margins: -2
    radius: Theme.radius + 2
    color: "transparent"
    border.width: 2
    border.color: Theme.accent
    visible: shown
}
