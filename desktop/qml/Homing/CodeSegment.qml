import QtQuick
import QtQuick.Controls.Basic

Rectangle {
    id: root

    required property string text
    required property string language

    signal copied

    implicitHeight: bar.height + area.height
    radius: Theme.radius
    color: Theme.code
    border.color: Theme.border

    Item {
        id: bar

        width: parent.width
        height: 36

        Text {
            anchors.left: parent.left
            anchors.leftMargin: 14
            anchors.verticalCenter: parent.verticalCenter
            text: root.language
            textFormat: Text.PlainText
            color: Theme.muted
            font.pixelSize: Theme.captionSize
        }
        IconButton {
            anchors.right: parent.right
            anchors.rightMargin: 4
            anchors.verticalCenter: parent.verticalCenter
            implicitWidth: 28
            implicitHeight: 28
            focusPolicy: Qt.NoFocus
            iconName: done.running ? "check" : "copy"
            iconSize: 15
            text: done.running ? qsTr("Copied") : qsTr("Copy code")
            onClicked: {
                root.copied();
                done.restart();
            }

            Timer {
                id: done

                interval: 1500
            }
        }
    }
    Flickable {
        id: area

        anchors.top: bar.bottom
        x: 14
        width: parent.width - 28
        height: code.implicitHeight + 14
        contentWidth: code.implicitWidth
        contentHeight: height
        clip: true
        flickableDirection: Flickable.HorizontalFlick
        boundsBehavior: Flickable.StopAtBounds

        ScrollBar.horizontal: AppScrollBar {}

        SelectableText {
            id: code

            text: root.text
            wrapMode: TextEdit.NoWrap
            font.family: "monospace"
            font.pixelSize: Theme.smallSize
        }
    }
}
