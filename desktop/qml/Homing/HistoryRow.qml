pragma ComponentBehavior: Bound
import QtQuick

Item {
    id: root

    required property string badge
    required property string badgeText
    required property string spoken
    required property bool focused

    readonly property string plain: ""

    objectName: "historyRow"
    implicitHeight: Math.max(56, words.implicitHeight + 32)
    Accessible.role: Accessible.ListItem
    Accessible.name: spoken
    Accessible.focusable: true

    Rectangle {
        anchors.centerIn: parent
        width: row.width + 24
        height: row.height + 16
        radius: height / 2
        color: "transparent"
        border.width: root.focused ? 2 : 0
        border.color: Theme.accent
    }
    Row {
        id: row

        anchors.centerIn: parent
        spacing: Theme.unit

        Icon {
            anchors.verticalCenter: parent.verticalCenter
            icon: root.badge === "coming" ? "history" : "cloud-off"
            size: 15
        }
        Text {
            id: words

            objectName: "historyNote"
            anchors.verticalCenter: parent.verticalCenter
            width: Math.min(implicitWidth, root.width - 80, Theme.column - 60)
            text: root.badgeText
            textFormat: Text.PlainText
            wrapMode: Text.Wrap
            color: Theme.muted
            font.pixelSize: Theme.smallSize
        }
    }
}
