import QtQuick
import QtQuick.Layouts

Rectangle {
    id: root

    required property string notice

    property bool calm: false

    signal dismissed

    visible: notice !== ""
    implicitHeight: visible ? Math.max(40, words.implicitHeight + 20) : 0
    radius: Theme.radius
    color: calm ? Theme.amberBack : Theme.redBack
    Accessible.role: Accessible.AlertMessage
    Accessible.name: notice

    RowLayout {
        anchors.fill: parent
        anchors.leftMargin: 12
        anchors.rightMargin: 6
        spacing: 10

        Icon {
            icon: root.calm ? "disk" : "alert"
            color: root.calm ? Theme.amber : Theme.red
        }
        Text {
            id: words

            objectName: "noticeText"
            Layout.fillWidth: true
            text: root.notice
            textFormat: Text.PlainText
            wrapMode: Text.Wrap
            color: Theme.text
            font.pixelSize: Theme.smallSize
        }
        IconButton {
            visible: !root.calm
            implicitWidth: 28
            implicitHeight: 28
            iconName: "close"
            iconSize: 14
            text: qsTr("Dismiss")
            onClicked: root.dismissed()
        }
    }
}
