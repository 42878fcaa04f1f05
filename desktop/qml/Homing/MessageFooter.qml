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

    readonly property bool _rejected: badge === "rejected"

    implicitHeight: Math.max(32, row.implicitHeight + 4)

    RowLayout {
        id: row

        anchors.right: root.mine ? parent.right : undefined
        anchors.verticalCenter: parent.verticalCenter
        width: Math.min(implicitWidth, parent.width)
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
            opacity: root.active || activeFocus || root._rejected ? 1 : 0
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
        Loader {
            visible: active
            active: root._rejected
            sourceComponent: AppButton {
                objectName: "retryButton"
                implicitHeight: 26
                leftPadding: 8
                rightPadding: 8
                flat_: true
                focusPolicy: root.tabbable ? Qt.StrongFocus : Qt.ClickFocus
                text: qsTr("Retry")
                onClicked: root.viewModel.retry(root.messageId)
            }
        }
        RowLayout {
            Layout.fillWidth: root._rejected
            spacing: 4

            Icon {
                icon: root.badge === "pending" ? "clock" : root._rejected ? "alert" : "check"
                size: 14
                color: root.badge === "pending" ? Theme.amber : root._rejected ? Theme.red : Theme.muted
            }
            Text {
                objectName: "badge"
                Layout.fillWidth: root._rejected
                visible: root.badge !== "synced" || root.active
                text: root.badgeText
                textFormat: Text.PlainText
                wrapMode: Text.Wrap
                color: root._rejected ? Theme.red : Theme.muted
                font.pixelSize: Theme.captionSize
                rightPadding: 2
                Accessible.role: Accessible.StaticText
                Accessible.name: text
            }
        }
    }
}
