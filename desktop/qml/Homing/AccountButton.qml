pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Controls.Basic

AbstractButton {
    id: root

    required property QtObject viewModel

    objectName: "accountButton"
    implicitHeight: 40
    hoverEnabled: true
    focusPolicy: Qt.StrongFocus
    text: viewModel.label
    Accessible.role: Accessible.Button
    Accessible.name: viewModel.signedIn ? qsTr("Account %1").arg(viewModel.email) : qsTr("Sign in")
    Keys.onReturnPressed: click()
    Keys.onEnterPressed: click()

    contentItem: Item {
        Rectangle {
            id: avatar

            x: 8
            anchors.verticalCenter: parent.verticalCenter
            width: 26
            height: 26
            radius: 13
            color: root.viewModel.signedIn ? Theme.accent : Theme.pressed

            Text {
                anchors.centerIn: parent
                visible: root.viewModel.signedIn
                text: root.viewModel.initial
                textFormat: Text.PlainText
                color: Theme.accentInk
                font.pixelSize: Theme.smallSize
                font.weight: Font.DemiBold
            }
            Icon {
                anchors.centerIn: parent
                visible: !root.viewModel.signedIn
                icon: "person"
                size: 16
                color: Theme.text
            }
        }
        Text {
            anchors.left: avatar.right
            anchors.leftMargin: 10
            anchors.right: parent.right
            anchors.rightMargin: 8
            anchors.verticalCenter: parent.verticalCenter
            text: root.text
            textFormat: Text.PlainText
            elide: Text.ElideMiddle
            color: Theme.text
            font.pixelSize: Theme.smallSize
        }
    }
    background: Rectangle {
        radius: Theme.radius
        color: root.down ? Theme.pressed : root.hovered ? Theme.hover : "transparent"

        FocusRing {
            shown: root.visualFocus
        }
    }
}
