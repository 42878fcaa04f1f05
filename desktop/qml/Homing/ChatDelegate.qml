pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Controls.Basic

Item {
    id: root

    required property int index
    required property string chatId
    required property string title
    required property string when
    required property string mark
    required property int markCount
    required property bool localOnly
    required property string hint
    required property string spoken
    required property bool current
    required property bool focused
    required property bool renaming

    signal picked
    signal renameAsked
    signal renamed(title: string)
    signal renameDropped

    implicitHeight: localOnly ? 52 : 36
    Accessible.role: Accessible.ListItem
    Accessible.name: spoken
    Accessible.selected: current
    Accessible.focusable: true
    Accessible.onPressAction: picked()

    Rectangle {
        anchors.fill: parent
        anchors.bottomMargin: 1
        radius: Theme.radius
        color: root.current ? Theme.selected : tap.pressed ? Theme.pressed : hover.hovered ? Theme.hover : "transparent"
        border.width: root.focused ? 2 : 0
        border.color: Theme.accent
    }
    HoverHandler {
        id: hover
    }
    TapHandler {
        id: tap

        enabled: !root.renaming
        onSingleTapped: root.picked()
        onDoubleTapped: root.renameAsked()
    }
    TapHandler {
        acceptedButtons: Qt.RightButton
        onTapped: menu.popup()
    }
    Column {
        anchors.left: parent.left
        anchors.leftMargin: 10
        anchors.right: side.left
        anchors.rightMargin: 8
        anchors.verticalCenter: parent.verticalCenter
        visible: !root.renaming
        spacing: 2

        Text {
            width: parent.width
            text: root.title
            textFormat: Text.PlainText
            elide: Text.ElideRight
            maximumLineCount: 1
            horizontalAlignment: Text.AlignLeft
            color: Theme.text
            font.pixelSize: Theme.smallSize + 1
            font.weight: root.current ? Font.Medium : Font.Normal
        }
        Row {
            visible: root.localOnly
            spacing: 4

            Icon {
                anchors.verticalCenter: parent.verticalCenter
                icon: "computer"
                size: 12
            }
            Text {
                text: qsTr("On this computer")
                textFormat: Text.PlainText
                color: Theme.muted
                font.pixelSize: Theme.captionSize - 1
            }
        }
    }
    Row {
        id: side

        anchors.right: parent.right
        anchors.rightMargin: 10
        anchors.verticalCenter: parent.verticalCenter
        visible: !root.renaming
        spacing: 6

        Text {
            anchors.verticalCenter: parent.verticalCenter
            visible: root.mark === ""
            text: root.when
            textFormat: Text.PlainText
            color: Theme.muted
            font.pixelSize: Theme.captionSize - 1
        }
        Rectangle {
            anchors.verticalCenter: parent.verticalCenter
            visible: root.mark !== ""
            width: 8
            height: 8
            radius: 4
            color: root.mark === "rejected" ? Theme.red : Theme.amber
        }
        Text {
            anchors.verticalCenter: parent.verticalCenter
            visible: root.mark !== "" && root.markCount > 0
            text: root.markCount > 99 ? "99+" : root.markCount
            textFormat: Text.PlainText
            color: root.mark === "rejected" ? Theme.red : Theme.amber
            font.pixelSize: Theme.captionSize - 1
            font.weight: Font.DemiBold
        }
    }
    Loader {
        anchors.fill: parent
        active: root.renaming
        sourceComponent: AppField {
            objectName: "renameField"
            text: root.title
            maximumLength: 200
            font.pixelSize: Theme.smallSize + 1
            leftPadding: 9
            implicitHeight: 36
            Accessible.name: qsTr("New title of this chat")
            Component.onCompleted: {
                forceActiveFocus();
                selectAll();
            }
            Keys.onReturnPressed: root.renamed(text)
            Keys.onEnterPressed: root.renamed(text)
            Keys.onEscapePressed: root.renameDropped()
            onActiveFocusChanged: {
                if (!activeFocus && root.renaming && text !== root.title)
                    root.renamed(text);
                else if (!activeFocus && root.renaming)
                    root.renameDropped();
            }
        }
    }
    HoverHint {
        text: root.hint
        shown: hover.hovered && !root.renaming
    }
    Loader {
        id: menu

        function popup(): void {
            active = true;
            (item as AppMenu).popup(root);
        }

        active: false
        sourceComponent: AppMenu {
            AppMenuItem {
                iconName: "pencil"
                text: qsTr("Rename")
                onTriggered: root.renameAsked()
            }
        }
    }
}
