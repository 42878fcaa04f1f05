pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Controls.Basic

ListView {
    id: root

    required property QtObject viewModel
    required property bool searching

    property string _renaming: ""

    signal chosen

    function enter(): void {
        if (count > 0) {
            currentIndex = Math.max(0, currentIndex);
            forceActiveFocus(Qt.TabFocusReason);
        }
    }

    function openFirst(): void {
        if (count > 0)
            openRow(0);
    }

    function openRow(row: int): void {
        viewModel.open(viewModel.chats.chat_at(row));
        chosen();
    }

    function renameCurrent(): void {
        const row = activeFocus ? currentIndex : viewModel.chats.row_of(viewModel.currentChatId);
        if (row >= 0) {
            positionViewAtIndex(row, ListView.Contain);
            currentIndex = row;
            _renaming = viewModel.chats.chat_at(row);
        }
    }

    objectName: "chatList"
    model: viewModel.chats
    clip: true
    currentIndex: -1
    activeFocusOnTab: true
    keyNavigationEnabled: true
    highlightMoveDuration: 0
    boundsBehavior: Flickable.StopAtBounds
    reuseItems: false
    Accessible.role: Accessible.List
    Accessible.name: qsTr("Chats")
    Keys.onReturnPressed: openRow(currentIndex)
    Keys.onEnterPressed: openRow(currentIndex)
    Keys.onSpacePressed: openRow(currentIndex)
    onActiveFocusChanged: {
        if (activeFocus && currentIndex < 0)
            currentIndex = Math.max(0, viewModel.chats.row_of(viewModel.currentChatId));
    }
    onAtYEndChanged: {
        if (atYEnd && count > 0)
            viewModel.chats.more();
    }

    ScrollBar.vertical: AppScrollBar {}

    section.property: "section"
    section.delegate: Text {
        required property string section

        topPadding: 14
        bottomPadding: 6
        leftPadding: 10
        text: section
        textFormat: Text.PlainText
        color: Theme.muted
        font.pixelSize: Theme.captionSize
        font.weight: Font.DemiBold
    }
    delegate: ChatDelegate {
        width: ListView.view.width - 8
        current: chatId === root.viewModel.currentChatId
        focused: root.activeFocus && ListView.isCurrentItem
        renaming: chatId === root._renaming
        onPicked: {
            root.currentIndex = index;
            root.openRow(index);
        }
        onRenameAsked: root._renaming = chatId
        onRenamed: title => {
            root._renaming = "";
            root.viewModel.chats.rename(chatId, title);
            root.forceActiveFocus();
        }
        onRenameDropped: {
            root._renaming = "";
            root.forceActiveFocus();
        }
    }

    Text {
        anchors.horizontalCenter: parent.horizontalCenter
        y: 32
        width: parent.width - 32
        visible: root.count === 0
        horizontalAlignment: Text.AlignHCenter
        text: root.searching ? qsTr("No chat has this in its title") : qsTr("Your chats will be listed here")
        textFormat: Text.PlainText
        wrapMode: Text.Wrap
        color: Theme.muted
        font.pixelSize: Theme.smallSize
    }
}
