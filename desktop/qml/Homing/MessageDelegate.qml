pragma ComponentBehavior: Bound
import QtQuick

Item {
    id: root

    required property int index
    required property string messageId
    required property string author
    required property var segments
    required property string plain
    required property string badge
    required property string badgeText
    required property string status
    required property string time
    required property string moment
    required property string day
    required property string spoken
    required property QtObject viewModel
    required property bool focused

    readonly property bool _mine: author === "user"
    readonly property bool _editing: viewModel.asides.editing === messageId
    readonly property int _column: Math.min(Theme.column, width - Theme.unit * 4)

    objectName: "message"
    implicitHeight: separator.height + column.height + (_editing ? 0 : footer.height) + Theme.unit
    Accessible.role: Accessible.ListItem
    Accessible.name: spoken
    Accessible.focusable: true

    HoverHandler {
        id: hover
    }
    Item {
        id: separator

        width: parent.width
        height: root.day ? 56 : 0
        visible: root.day !== ""

        Text {
            anchors.centerIn: parent
            text: root.day
            textFormat: Text.PlainText
            color: Theme.muted
            font.pixelSize: Theme.captionSize
            font.weight: Font.DemiBold
            Accessible.role: Accessible.StaticText
            Accessible.name: text
        }
    }
    Item {
        id: column

        anchors.horizontalCenter: parent.horizontalCenter
        anchors.top: separator.bottom
        width: root._column
        height: root._editing ? editor.height : body.height

        Loader {
            id: editor

            width: parent.width
            active: root._editing
            onLoaded: {
                // First, or the view would give the focus to another row.
                root.ListView.view.currentIndex = root.index;
                (item as MessageEditor).forceActiveFocus(Qt.TabFocusReason);
            }
            sourceComponent: MessageEditor {
                asides: root.viewModel.asides
                messageId: root.messageId
            }
        }
        Rectangle {
            id: body

            visible: !root._editing
            anchors.right: root._mine ? parent.right : undefined
            width: root._mine ? bubble.width + 32 : parent.width
            height: root._mine ? bubble.height + 22 : rendered.height
            radius: 16
            color: root._mine ? Theme.bubble : "transparent"
            border.width: root.focused ? 2 : 0
            border.color: Theme.accent

            SelectableText {
                id: bubble

                x: 16
                y: 14
                visible: root._mine
                width: Math.min(implicitWidth, Math.floor(root._column * 0.86) - 32)
                text: root._mine ? root.plain : ""
                Component.onCompleted: root.viewModel.air(textDocument)
            }
            Segments {
                id: rendered

                visible: !root._mine
                width: parent.width
                segments: root._mine ? [] : root.segments
                viewModel: root.viewModel
            }
        }
    }
    MessageFooter {
        id: footer

        anchors.horizontalCenter: parent.horizontalCenter
        anchors.top: column.bottom
        width: root._column
        visible: !root._editing
        viewModel: root.viewModel
        messageId: root.messageId
        mine: root._mine
        badge: root.badge
        badgeText: root.badgeText
        time: root.time
        moment: root.moment
        plain: root.plain
        active: hover.hovered || root.focused
        tabbable: root.focused
    }
}
