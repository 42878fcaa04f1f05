import QtQuick
import QtQuick.Controls.Basic
import QtQuick.Layouts

Dialog {
    id: root

    property string explanation: ""

    default property alias body: column.data

    anchors.centerIn: Overlay.overlay
    width: Math.min(440, (Overlay.overlay?.width ?? 440) - Theme.unit * 4)
    height: Math.min(implicitHeight, (Overlay.overlay?.height ?? implicitHeight) - Theme.unit * 4)
    modal: true
    focus: true
    padding: Theme.unit * 3
    topPadding: Theme.unit * 2
    popupType: Popup.Item
    closePolicy: Popup.CloseOnEscape | Popup.CloseOnPressOutside

    header: RowLayout {
        Text {
            Layout.fillWidth: true
            Layout.leftMargin: Theme.unit * 3
            Layout.topMargin: Theme.unit * 2
            text: root.title
            textFormat: Text.PlainText
            color: Theme.text
            font.pixelSize: Theme.titleSize + 2
            font.weight: Font.DemiBold
            wrapMode: Text.Wrap
            Accessible.role: Accessible.Heading
            Accessible.name: text
        }
        IconButton {
            Layout.rightMargin: Theme.unit * 2
            Layout.topMargin: Theme.unit * 2
            Layout.alignment: Qt.AlignTop
            iconName: "close"
            text: qsTr("Close")
            hint: false
            onClicked: root.close()
        }
    }
    contentItem: Flickable {
        id: flickable

        implicitHeight: column.implicitHeight
        contentHeight: column.implicitHeight
        clip: contentHeight > height
        boundsBehavior: Flickable.StopAtBounds
        interactive: contentHeight > height
        Accessible.role: Accessible.Dialog
        Accessible.name: root.title

        ScrollBar.vertical: AppScrollBar {}

        ColumnLayout {
            id: column

            width: flickable.width
            spacing: Theme.unit * 2
        }
    }
    background: Rectangle {
        color: Theme.dark ? Theme.raised : Theme.background
        radius: 14
        border.color: Theme.border
    }
    enter: Transition {
        NumberAnimation {
            property: "opacity"
            from: 0
            to: 1
            duration: Theme.quick
        }
    }
    exit: Transition {
        NumberAnimation {
            property: "opacity"
            from: 1
            to: 0
            duration: Theme.quick
        }
    }

    Overlay.modal: Rectangle {
        color: Theme.scrim
    }
}
