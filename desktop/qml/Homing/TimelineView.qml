pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Controls.Basic
import Qt.labs.qmlmodels

ListView {
    id: root

    required property QtObject viewModel

    readonly property QtObject _rows: viewModel.timeline
    readonly property real _below: originY + contentHeight - contentY - height
    readonly property real _above: contentY - originY
    readonly property bool _busy: viewModel.asides.editing !== "" || viewModel.asides.removing !== ""
    property bool _stick: true

    function toNewest(): void {
        _stick = true;
        _rows.jump_to_newest();
        positionViewAtBeginning();
    }

    function _focusRow(): void {
        (currentItem ?? root).forceActiveFocus(Qt.TabFocusReason);
    }

    function _settle(): void {
        if (_stick)
            positionViewAtBeginning();
        else if (_busy && currentIndex >= 0)
            positionViewAtIndex(currentIndex, ListView.Contain);
    }

    function _page(): void {
        if (_above < height)
            _rows.load_older();
        else if (_below < height && !_rows.atNewest)
            _rows.load_newer();
    }

    objectName: "timeline"
    model: _rows
    verticalLayoutDirection: ListView.BottomToTop
    reuseItems: false
    cacheBuffer: 800
    clip: true
    activeFocusOnTab: count > 0 || activeFocus
    currentIndex: -1
    highlightMoveDuration: 0
    highlightFollowsCurrentItem: true
    boundsBehavior: Flickable.StopAtBounds
    topMargin: Theme.unit * 3
    bottomMargin: Theme.unit
    Accessible.role: Accessible.List
    Accessible.name: qsTr("Messages")
    Keys.onPressed: event => {
        if (event.matches(StandardKey.Copy) && currentItem as MessageDelegate) {
            viewModel.copy((currentItem as MessageDelegate).plain);
            event.accepted = true;
        } else if (event.key === Qt.Key_End) {
            toNewest();
            currentIndex = 0;
            event.accepted = true;
        } else if (event.key === Qt.Key_Home) {
            currentIndex = count - 1;
            event.accepted = true;
        } else if (event.key === Qt.Key_PageUp) {
            contentY = Math.max(originY, contentY - height * 0.9);
            _stick = false;
            event.accepted = true;
        } else if (event.key === Qt.Key_PageDown) {
            contentY = Math.min(originY + contentHeight - height, contentY + height * 0.9);
            event.accepted = true;
        }
    }
    onActiveFocusChanged: {
        if (activeFocus && currentIndex < 0)
            currentIndex = 0;
        // Tab comes back to the message, not to the button of it that was used last.
        if (!activeFocus && currentItem)
            currentItem.focus = true;
    }
    onCurrentIndexChanged: {
        if (currentIndex > 0)
            _stick = false;
    }
    onContentYChanged: {
        if (moving || bar.pressed)
            _stick = _below < 24 && _rows.atNewest;
        Qt.callLater(_page);
    }
    onCountChanged: {
        if (count === 0 && activeFocus)
            nextItemInFocusChain(true).forceActiveFocus(Qt.TabFocusReason);
        Qt.callLater(_settle);
        Qt.callLater(_page);
    }
    onContentHeightChanged: Qt.callLater(_settle)
    onHeightChanged: Qt.callLater(_settle)
    on_BusyChanged: Qt.callLater(_settle)

    ScrollBar.vertical: AppScrollBar {
        id: bar
    }

    delegate: DelegateChooser {
        role: "author"

        DelegateChoice {
            roleValue: "hole"

            HistoryRow {
                width: ListView.view.width
                focused: root.activeFocus && ListView.isCurrentItem
            }
        }
        DelegateChoice {
            MessageDelegate {
                width: ListView.view.width
                viewModel: root.viewModel
                focused: root.activeFocus && ListView.isCurrentItem
            }
        }
    }

    Connections {
        target: root._rows

        function onReplaced(): void {
            root._stick = true;
            root.currentIndex = -1;
            Qt.callLater(root._settle);
        }
        function onOlderChanged(): void {
            Qt.callLater(root._page);
        }
    }
    Connections {
        target: root.viewModel.asides

        function onSettled(): void {
            root._focusRow();
        }
    }
    Connections {
        target: root.viewModel

        function onAsideShown(row: int): void {
            root.currentIndex = row;
            root.positionViewAtIndex(row, ListView.Contain);
            root._focusRow();
        }
    }
    Connections {
        target: root.viewModel.composer

        function onCommitted(): void {
            root.toNewest();
        }
    }

    AbstractButton {
        id: jump

        objectName: "jumpButton"
        parent: root
        anchors.horizontalCenter: parent.horizontalCenter
        anchors.bottom: parent.bottom
        anchors.bottomMargin: 12
        width: 40
        height: 40
        visible: root.count > 0 && (!root._rows.atNewest || (!root._stick && root._below > root.height / 2))
        hoverEnabled: true
        focusPolicy: Qt.StrongFocus
        text: qsTr("Jump to the newest message")
        Accessible.role: Accessible.Button
        Accessible.name: text
        Keys.onReturnPressed: click()
        Keys.onEnterPressed: click()
        onClicked: root.toNewest()

        contentItem: Item {
            Icon {
                anchors.centerIn: parent
                icon: "arrow-down"
                color: Theme.text
            }
        }
        background: Rectangle {
            radius: 20
            color: jump.down ? Theme.pressed : jump.hovered ? Theme.hover : Theme.raised
            border.color: Theme.border

            FocusRing {
                radius: 22
                shown: jump.visualFocus
            }
        }

        HoverHint {
            text: jump.text
            shown: jump.hovered
        }
    }
}
