import QtQuick
import QtQuick.Controls.Basic

ToolTip {
    id: root

    delay: 600
    padding: Theme.unit
    popupType: Popup.Item

    contentItem: Text {
        text: root.text
        textFormat: Text.PlainText
        color: Theme.text
        font.pixelSize: Theme.captionSize
        wrapMode: Text.Wrap
    }
    background: Rectangle {
        color: Theme.raised
        border.color: Theme.border
        radius: 6
    }
}
