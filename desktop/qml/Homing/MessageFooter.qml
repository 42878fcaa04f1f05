pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Layouts

Item {
    id: root

    required property QtObject viewModel
    required property string messageId
    required property bool mine
    required property string badge
    required property string badgeText
    required property string time
    required property string moment
    required property string plain
    required property bool active
    required property bool tabbable

    readonly property bool _aside: badge === "rejected" || badge === "conflict"

    implicitHeight: _aside ? aside.implicitHeight + 10 : Math.max(32, row.implicitHeight + 4)

    Loader {
        id: aside

        y: 6
        width: parent.width
        active: root._aside
        sourceComponent: AsideBar {
            viewModel: root.viewModel
            messageId: root.messageId
            plain: root.plain
            reason: root.badgeText
            conflict: root.badge === "conflict"
            mine: root.mine
            tabbable: root.tabbable
        }
    }

    RowLayout {
        id: row

        anchors.right: root.mine ? parent.right : undefined
        anchors.verticalCenter: parent.verticalCenter
        visible: !root._aside
        layoutDirection: root.mine ? Qt.LeftToRight : Qt.RightToLeft
        spacing: 4

        Text {
            opacity: root.active ? 1 : 0
            text: root.time
            textFormat: Text.PlainText
            color: Theme.muted
            font.pixelSize: Theme.captionSize
            rightPadding: 4

            HoverHandler {
                id: overTime
            }
            HoverHint {
                text: root.moment
                shown: overTime.hovered && root.active
            }
        }
        IconButton {
            id: copy

            objectName: "copyButton"
            opacity: root.active || activeFocus ? 1 : 0
            implicitWidth: 26
            implicitHeight: 26
            focusPolicy: root.tabbable ? Qt.StrongFocus : Qt.NoFocus
            iconName: copied.running ? "check" : "copy"
            iconSize: 14
            text: copied.running ? qsTr("Copied") : qsTr("Copy message")
            onClicked: {
                root.viewModel.copy(root.plain);
                copied.restart();
            }

            Timer {
                id: copied

                interval: 1500
            }
        }
        RowLayout {
            spacing: 4

            Icon {
                icon: root.badge === "pending" ? "clock" : "check"
                size: 14
                color: root.badge === "pending" ? Theme.amber : Theme.muted
            }
            Text {
                objectName: root._aside ? "" : "badge"
                visible: root.badge !== "synced" || root.active
                text: root.badgeText
                textFormat: Text.PlainText
                color: Theme.muted
                font.pixelSize: Theme.captionSize
                rightPadding: 2
                Accessible.role: Accessible.StaticText
                Accessible.name: text
            }
        }
    }
}
