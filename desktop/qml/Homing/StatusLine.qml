pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Controls.Basic

AbstractButton {
    id: root

    required property QtObject viewModel

    objectName: "syncStatus"
    implicitHeight: 32
    hoverEnabled: true
    focusPolicy: Qt.StrongFocus
    text: viewModel.line
    Accessible.role: Accessible.Button
    Accessible.name: qsTr("Sync: %1").arg(viewModel.note ? text + ". " + viewModel.note : text)
    Keys.onReturnPressed: click()
    Keys.onEnterPressed: click()

    contentItem: Item {
        Icon {
            id: mark

            x: 16
            anchors.verticalCenter: parent.verticalCenter
            icon: root.viewModel.icon
            size: 16
            color: Theme.tone(root.viewModel.tone)
        }
        Text {
            anchors.left: mark.right
            anchors.leftMargin: 8
            anchors.right: aside.left
            anchors.rightMargin: 16
            anchors.verticalCenter: parent.verticalCenter
            text: root.text
            textFormat: Text.PlainText
            elide: Text.ElideRight
            color: root.viewModel.tone === "red" ? Theme.red : root.hovered ? Theme.text : Theme.muted
            font.pixelSize: Theme.captionSize
        }
        Text {
            id: aside

            anchors.right: parent.right
            anchors.rightMargin: text ? 16 : 0
            anchors.verticalCenter: parent.verticalCenter
            width: text ? Math.min(implicitWidth, parent.width / 2 - 24) : 0
            text: root.viewModel.note
            textFormat: Text.PlainText
            elide: Text.ElideRight
            color: Theme.red
            font.pixelSize: Theme.captionSize
        }
    }
    background: Rectangle {
        color: root.down ? Theme.pressed : root.hovered ? Theme.hover : Theme.sidebar

        Rectangle {
            width: parent.width
            height: 1
            color: Theme.border
        }
        FocusRing {
            anchors.margins: 1
            radius: 4
            shown: root.visualFocus
        }
    }
}
