pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Controls.Basic
import QtQuick.Layouts

FocusScope {
    id: root

    required property QtObject viewModel

    readonly property alias list: chatList

    signal chosen
    signal accountAsked
    signal settingsAsked

    function search(): void {
        searchField.forceActiveFocus(Qt.ShortcutFocusReason);
        searchField.selectAll();
    }

    function renameCurrent(): void {
        chatList.renameCurrent();
    }

    Rectangle {
        anchors.fill: parent
        color: Theme.sidebar

        Rectangle {
            anchors.right: parent.right
            width: 1
            height: parent.height
            color: Theme.border
        }
    }

    ColumnLayout {
        anchors.fill: parent
        anchors.margins: 12
        anchors.topMargin: 14
        anchors.bottomMargin: 8
        spacing: 0

        RowLayout {
            Layout.leftMargin: 4
            spacing: 10

            Image {
                source: Theme.icon("homing")
                sourceSize: Qt.size(28, 28)
                Accessible.ignored: true
            }
            Text {
                Layout.fillWidth: true
                text: qsTr("Homing")
                textFormat: Text.PlainText
                color: Theme.text
                font.pixelSize: 17
                font.weight: Font.DemiBold
            }
        }

        AppField {
            id: searchField

            objectName: "searchField"
            Layout.fillWidth: true
            Layout.topMargin: 14
            implicitHeight: Theme.control
            leftPadding: 36
            rightPadding: clear.visible ? 34 : 12
            font.pixelSize: Theme.smallSize + 1
            placeholderText: qsTr("Search chats")
            onTextEdited: root.viewModel.chats.needle = text
            Accessible.name: qsTr("Search chats by title")
            Keys.onEscapePressed: event => {
                if (text) {
                    clear.clear();
                } else {
                    event.accepted = false;
                }
            }
            Keys.onDownPressed: chatList.enter()
            Keys.onReturnPressed: chatList.openFirst()
            Keys.onEnterPressed: chatList.openFirst()

            background: Rectangle {
                radius: Theme.radius
                color: Theme.raised
                border.width: searchField.activeFocus ? 2 : 1
                border.color: searchField.activeFocus ? Theme.accent : Theme.border
            }

            Icon {
                x: 11
                anchors.verticalCenter: parent.verticalCenter
                icon: "search"
                size: 16
            }
            IconButton {
                id: clear

                function clear(): void {
                    searchField.clear();
                    root.viewModel.chats.needle = "";
                    searchField.forceActiveFocus();
                }

                anchors.right: parent.right
                anchors.rightMargin: 4
                anchors.verticalCenter: parent.verticalCenter
                implicitWidth: 28
                implicitHeight: 28
                visible: searchField.text !== ""
                iconName: "close"
                iconSize: 14
                text: qsTr("Clear search")
                onClicked: clear()
            }
        }

        AbstractButton {
            id: newChat

            objectName: "newChatButton"
            Layout.fillWidth: true
            Layout.topMargin: 8
            implicitHeight: 36
            hoverEnabled: true
            focusPolicy: Qt.StrongFocus
            text: qsTr("New chat")
            Accessible.role: Accessible.Button
            Accessible.name: text
            Keys.onReturnPressed: click()
            Keys.onEnterPressed: click()
            onClicked: {
                root.viewModel.new_chat();
                root.chosen();
            }

            contentItem: Row {
                leftPadding: 3
                spacing: 10

                Icon {
                    anchors.verticalCenter: parent.verticalCenter
                    icon: "plus"
                    color: Theme.accent
                }
                Text {
                    anchors.verticalCenter: parent.verticalCenter
                    text: newChat.text
                    textFormat: Text.PlainText
                    color: Theme.accent
                    font.pixelSize: Theme.smallSize + 1
                    font.weight: Font.DemiBold
                }
            }
            background: Rectangle {
                radius: Theme.radius
                color: newChat.down ? Theme.pressed : newChat.hovered ? Theme.hover : "transparent"

                FocusRing {
                    shown: newChat.visualFocus
                }
            }

            leftPadding: 8
        }

        ChatListView {
            id: chatList

            Layout.fillWidth: true
            Layout.fillHeight: true
            Layout.topMargin: 4
            Layout.rightMargin: -8
            viewModel: root.viewModel
            searching: searchField.text.trim() !== ""
            onChosen: root.chosen()
        }

        Rectangle {
            Layout.fillWidth: true
            Layout.leftMargin: -12
            Layout.rightMargin: -12
            implicitHeight: 1
            color: Theme.border
        }

        RowLayout {
            Layout.topMargin: 8
            spacing: 4

            AccountButton {
                Layout.fillWidth: true
                viewModel: root.viewModel.account
                onClicked: root.accountAsked()
            }
            IconButton {
                objectName: "settingsButton"
                implicitWidth: 36
                implicitHeight: 36
                iconName: "settings"
                text: qsTr("Settings")
                onClicked: root.settingsAsked()
            }
        }
    }
}
