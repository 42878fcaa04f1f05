pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Controls.Basic

ApplicationWindow {
    id: root

    required property QtObject viewModel

    readonly property bool _narrow: width < 720
    readonly property int _listWidth: _narrow ? Math.min(300, width - 72) : 280
    property bool _drawer: false

    function _focusComposer(): void {
        _drawer = false;
        composer.forceActiveFocus();
    }

    function _rename(): void {
        if (_narrow)
            _drawer = true;
        sidebar.renameCurrent();
    }

    function _act(action: string): void {
        if (action === "statusSignIn" || action === "keepChats")
            account.open();
        else
            viewModel.act(action);
    }

    objectName: "window"
    width: 1180
    height: 780
    minimumWidth: 360
    minimumHeight: 420
    visible: true
    title: qsTr("Homing")
    color: Theme.background
    font.pixelSize: Theme.bodySize

    Binding {
        target: Theme
        property: "dark"
        value: root.viewModel.preferences.dark
    }
    Shortcut {
        sequences: [StandardKey.New]
        onActivated: {
            root.viewModel.new_chat();
            root._focusComposer();
        }
    }
    Shortcut {
        sequence: "Ctrl+K"
        onActivated: {
            root._drawer = root._narrow;
            sidebar.search();
        }
    }
    Shortcut {
        sequence: "Ctrl+,"
        onActivated: settings.open()
    }
    Shortcut {
        sequence: "F2"
        onActivated: root._rename()
    }
    Shortcut {
        sequences: [StandardKey.Quit]
        onActivated: root.close()
    }
    Shortcut {
        sequence: "Esc"
        enabled: root._drawer || !composer.activeFocus
        onActivated: root._focusComposer()
    }

    Item {
        id: main

        anchors.left: parent.left
        anchors.leftMargin: root._narrow ? 0 : root._listWidth
        anchors.right: parent.right
        anchors.top: parent.top
        anchors.bottom: status.top

        Header {
            id: header

            width: parent.width
            viewModel: root.viewModel
            narrow: root._narrow
            covered: root._drawer
            onListAsked: {
                root._drawer = true;
                sidebar.list.enter();
            }
            onRenameAsked: root._rename()
        }
        TimelineView {
            id: timeline

            anchors.top: header.bottom
            anchors.bottom: foot.top
            width: parent.width
            viewModel: root.viewModel
        }
        EmptyState {
            anchors.horizontalCenter: parent.horizontalCenter
            anchors.verticalCenter: timeline.verticalCenter
            width: Math.min(420, parent.width - 48)
            visible: timeline.count === 0
        }
        Column {
            id: foot

            anchors.bottom: parent.bottom
            anchors.bottomMargin: 16
            anchors.horizontalCenter: parent.horizontalCenter
            width: Math.min(Theme.column + 32, parent.width - 24)
            spacing: 8

            NoticeLine {
                objectName: "notice"
                width: parent.width
                notice: root.viewModel.notice
                onDismissed: {
                    root.viewModel.tell("");
                    composer.forceActiveFocus();
                }
            }
            NoticeLine {
                objectName: "composerError"
                width: parent.width
                notice: root.viewModel.composer.error
                onDismissed: {
                    root.viewModel.composer.dismiss_error();
                    composer.forceActiveFocus();
                }
            }
            NoticeLine {
                objectName: "diskFullNotice"
                width: parent.width
                calm: true
                notice: root.viewModel.composer.full ? qsTr("The disk is full. Your text stays here; free some space and it is saved by itself.") : ""
            }
            ComposerField {
                id: composer

                width: parent.width
                focus: true
                viewModel: root.viewModel.composer
            }
        }
    }
    Rectangle {
        anchors.fill: parent
        visible: opacity > 0
        opacity: root._drawer && root._narrow ? 1 : 0
        color: Theme.scrim

        Behavior on opacity {
            NumberAnimation {
                duration: Theme.calm
            }
        }
        TapHandler {
            onTapped: root._focusComposer()
        }
    }
    Sidebar {
        id: sidebar

        anchors.top: parent.top
        anchors.bottom: root._narrow ? parent.bottom : status.top
        x: root._narrow && !root._drawer ? -width : 0
        width: root._listWidth
        visible: x > -width
        viewModel: root.viewModel
        onChosen: root._focusComposer()
        onAccountAsked: account.open()
        onSettingsAsked: settings.open()

        Behavior on x {
            enabled: root._narrow

            NumberAnimation {
                duration: Theme.calm
                easing.type: Easing.OutCubic
            }
        }
    }
    StatusLine {
        id: status

        anchors.bottom: parent.bottom
        width: parent.width
        z: -1
        viewModel: root.viewModel.sync
        onClicked: details.toggle()

        Loader {
            id: details

            function toggle(): void {
                active = true;
                const popup = item as StatusDetails;
                if (popup.opened)
                    popup.close();
                else
                    popup.open();
            }

            width: parent.width
            active: false
            sourceComponent: StatusDetails {
                x: 8
                y: -height - 8
                viewModel: root.viewModel.sync
                onAsked: action => root._act(action)
            }
        }
    }
    Loader {
        id: account

        function open(): void {
            active = true;
            (item as AccountDialog).open();
        }

        active: false
        sourceComponent: AccountDialog {
            viewModel: root.viewModel.account
            onClosed: composer.forceActiveFocus()
        }
    }
    Loader {
        id: settings

        function open(): void {
            active = true;
            (item as SettingsDialog).open();
        }

        active: false
        sourceComponent: SettingsDialog {
            viewModel: root.viewModel.preferences
            onClosed: composer.forceActiveFocus()
        }
    }
    Loader {
        id: choice

        active: false
        sourceComponent: ChoiceDialog {
            viewModel: root.viewModel.choice
            onClosed: timeline.forceActiveFocus()
        }
    }
    Connections {
        target: root.viewModel.choice

        function onOpened(): void {
            choice.active = true;
            (choice.item as ChoiceDialog).open();
        }
    }
    Connections {
        target: root.viewModel

        function onRaised(): void {
            root.show();
            root.raise();
            root.requestActivate();
        }
    }

    Component.onCompleted: composer.forceActiveFocus()
}
