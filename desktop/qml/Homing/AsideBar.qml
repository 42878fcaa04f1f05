pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Layouts

Column {
    id: root

    required property QtObject viewModel
    required property string messageId
    required property string plain
    required property string reason
    required property bool conflict
    required property bool mine
    required property bool tabbable

    readonly property QtObject _asides: viewModel.asides
    readonly property bool _asking: _asides.removing === messageId

    component Act: AppButton {
        implicitHeight: 28
        leftPadding: 8
        rightPadding: 8
        flat_: true
        focusPolicy: root.tabbable ? Qt.StrongFocus : Qt.ClickFocus
    }

    spacing: 3
    on_AskingChanged: {
        if (_asking)
            keep.forceActiveFocus(Qt.TabFocusReason);
    }

    Row {
        anchors.right: root.mine ? parent.right : undefined
        spacing: 6

        Icon {
            y: 1
            icon: root._asking ? "trash" : root.conflict ? "versions" : "alert"
            size: 14
            color: words.color
        }
        Text {
            id: words

            objectName: "badge"
            width: Math.min(implicitWidth, root.width - 20)
            text: root._asking ? qsTr("Delete this message? No other copy of it exists.") : root.reason
            textFormat: Text.PlainText
            wrapMode: Text.Wrap
            color: root.conflict && !root._asking ? Theme.amber : Theme.red
            font.pixelSize: Theme.captionSize
            Accessible.role: Accessible.StaticText
            Accessible.name: text
        }
    }
    Flow {
        anchors.right: root.mine ? parent.right : undefined
        anchors.rightMargin: -8
        width: Math.min(root.width, visibleChildren.reduce((sum, child) => sum + child.width + spacing, 0))
        spacing: 2

        Act {
            objectName: "compareButton"
            visible: root.conflict && !root._asking
            text: qsTr("Compare and choose…")
            onClicked: root.viewModel.compare(root.messageId)
        }
        Act {
            objectName: "retryButton"
            visible: !root.conflict && !root._asking
            text: qsTr("Retry")
            onClicked: root._asides.retry(root.messageId)
        }
        Act {
            objectName: "editButton"
            visible: !root.conflict && !root._asking
            text: qsTr("Edit and resend")
            onClicked: root._asides.edit(root.messageId)
        }
        Act {
            objectName: "copyAsideButton"
            visible: !root._asking
            text: copied.running ? qsTr("Copied") : qsTr("Copy")
            onClicked: {
                root.viewModel.copy(root.plain);
                copied.restart();
            }

            Timer {
                id: copied

                interval: 1500
            }
        }
        Act {
            objectName: "deleteButton"
            visible: !root.conflict && !root._asking
            danger: true
            text: qsTr("Delete…")
            onClicked: root._asides.ask_discard(root.messageId)
        }
        Act {
            id: keep

            objectName: "keepMessageButton"
            visible: root._asking
            text: qsTr("Keep")
            onClicked: root._asides.cancel()
        }
        Act {
            objectName: "confirmDeleteButton"
            visible: root._asking
            danger: true
            text: qsTr("Delete")
            onClicked: root._asides.discard()
        }
    }
}
