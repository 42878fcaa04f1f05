pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Controls.Basic

Button {
    id: root

    property bool primary: false
    property bool danger: false
    property bool flat_: false
    property bool busy: false

    readonly property color _ink: primary ? Theme.accentInk : danger ? Theme.red : flat_ ? Theme.accent : Theme.text

    implicitHeight: Theme.control
    leftPadding: Theme.unit * 2
    rightPadding: Theme.unit * 2
    hoverEnabled: true
    focusPolicy: Qt.StrongFocus
    opacity: enabled || busy ? 1 : 0.45
    Accessible.name: text
    Keys.onReturnPressed: click()
    Keys.onEnterPressed: click()

    contentItem: Item {
        implicitWidth: label.implicitWidth + (root.busy ? 24 : 0)
        implicitHeight: label.implicitHeight

        Row {
            anchors.centerIn: parent
            spacing: Theme.unit

            Loader {
                anchors.verticalCenter: parent.verticalCenter
                visible: active
                active: root.busy
                sourceComponent: Spinner {
                    size: 16
                    color: root._ink
                }
            }
            Text {
                id: label

                anchors.verticalCenter: parent.verticalCenter
                text: root.text
                textFormat: Text.PlainText
                color: root._ink
                font.pixelSize: Theme.smallSize
                font.weight: Font.DemiBold
            }
        }
    }
    background: Rectangle {
        radius: Theme.radius
        color: {
            if (root.primary)
                return root.down ? Theme.accentPressed : root.hovered ? Theme.accentHover : Theme.accent;
            if (root.flat_)
                return root.down ? Theme.pressed : root.hovered ? Theme.hover : "transparent";
            return root.down ? Theme.pressed : root.hovered ? Theme.hover : Theme.raised;
        }
        border.width: root.primary || root.flat_ ? 0 : 1
        border.color: Theme.fieldBorder

        FocusRing {
            anchors.margins: -3
            shown: root.visualFocus
        }
    }
}
