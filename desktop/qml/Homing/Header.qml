pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Layouts

Item {
    id: root

    required property QtObject viewModel
    required property bool narrow
    required property bool covered

    signal listAsked
    signal renameAsked

    implicitHeight: 56

    Rectangle {
        anchors.bottom: parent.bottom
        width: parent.width
        height: 1
        color: Theme.border
    }
    RowLayout {
        anchors.fill: parent
        anchors.leftMargin: root.narrow ? 12 : 24
        anchors.rightMargin: 16
        spacing: Theme.unit

        IconButton {
            objectName: "chatsButton"
            visible: root.narrow
            implicitWidth: 36
            implicitHeight: 36
            iconName: "menu"
            iconSize: 20
            text: qsTr("Chats")
            hint: !root.covered
            onClicked: root.listAsked()
        }
        Text {
            Layout.fillWidth: true
            text: root.viewModel.title
            textFormat: Text.PlainText
            elide: Text.ElideRight
            maximumLineCount: 1
            horizontalAlignment: Text.AlignLeft
            color: Theme.text
            font.pixelSize: Theme.titleSize
            font.weight: Font.DemiBold
            Accessible.role: Accessible.Heading
            Accessible.name: text
        }
        IconButton {
            objectName: "renameButton"
            visible: root.viewModel.currentChatId !== ""
            iconName: "pencil"
            iconSize: 16
            text: qsTr("Rename this chat")
            onClicked: root.renameAsked()
        }
    }
}
