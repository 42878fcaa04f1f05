pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Controls.Basic
import QtQuick.Layouts

ColumnLayout {
    id: root

    required property QtObject model

    component Mark: Rectangle {
        required property bool on

        implicitWidth: 18
        implicitHeight: 18
        radius: 5
        color: on ? Theme.accent : "transparent"
        border.width: on ? 0 : 1
        border.color: Theme.fieldBorder

        Icon {
            anchors.centerIn: parent
            visible: parent.on
            icon: "check"
            size: 14
            color: Theme.accentInk
        }
    }

    spacing: 4

    AbstractButton {
        id: all

        objectName: "adoptAllButton"
        Layout.fillWidth: true
        visible: root.model.count > 1
        implicitHeight: 32
        hoverEnabled: true
        focusPolicy: Qt.StrongFocus
        text: qsTr("All chats")
        Accessible.role: Accessible.CheckBox
        Accessible.name: text
        Accessible.checked: root.model.allChosen
        Keys.onReturnPressed: click()
        Keys.onEnterPressed: click()
        onClicked: root.model.toggle_all()

        contentItem: RowLayout {
            spacing: 10

            Mark {
                Layout.leftMargin: 8
                on: root.model.allChosen
            }
            Text {
                Layout.fillWidth: true
                text: all.text
                textFormat: Text.PlainText
                color: Theme.muted
                font.pixelSize: Theme.smallSize
            }
        }
        background: Rectangle {
            radius: Theme.radius
            color: all.down ? Theme.pressed : all.hovered ? Theme.hover : "transparent"

            FocusRing {
                shown: all.visualFocus
            }
        }
    }
    ListView {
        id: list

        objectName: "adoptionList"
        Layout.fillWidth: true
        implicitHeight: Math.min(contentHeight, 232)
        model: root.model
        clip: true
        currentIndex: -1
        activeFocusOnTab: true
        keyNavigationEnabled: true
        highlightMoveDuration: 0
        boundsBehavior: Flickable.StopAtBounds
        reuseItems: false
        Accessible.role: Accessible.List
        Accessible.name: qsTr("Chats on this computer")
        Keys.onSpacePressed: (currentItem as AbstractButton)?.click()
        onActiveFocusChanged: {
            if (activeFocus && currentIndex < 0)
                currentIndex = 0;
        }

        ScrollBar.vertical: AppScrollBar {}

        delegate: AbstractButton {
            id: row

            required property string chatId
            required property string title
            required property string when
            required property bool chosen

            objectName: "adopt-" + title
            width: ListView.view.width
            height: 36
            hoverEnabled: true
            focusPolicy: Qt.NoFocus
            text: title
            Accessible.role: Accessible.CheckBox
            Accessible.name: title
            Accessible.checked: chosen
            onClicked: root.model.toggle(chatId)

            contentItem: RowLayout {
                spacing: 10

                Mark {
                    Layout.leftMargin: 8
                    on: row.chosen
                }
                Text {
                    Layout.fillWidth: true
                    text: row.title
                    textFormat: Text.PlainText
                    elide: Text.ElideRight
                    color: Theme.text
                    font.pixelSize: Theme.smallSize + 1
                }
                Text {
                    Layout.rightMargin: 12
                    text: row.when
                    textFormat: Text.PlainText
                    color: Theme.muted
                    font.pixelSize: Theme.captionSize
                }
            }
            background: Rectangle {
                radius: Theme.radius
                color: row.down ? Theme.pressed : row.hovered ? Theme.hover : "transparent"
                border.width: list.activeFocus && row.ListView.isCurrentItem ? 2 : 0
                border.color: Theme.accent
            }
        }
    }
}
