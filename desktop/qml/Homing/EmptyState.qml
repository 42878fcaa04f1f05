import QtQuick

Column {
    spacing: Theme.unit

    Image {
        anchors.horizontalCenter: parent.horizontalCenter
        source: Theme.icon("homing")
        sourceSize: Qt.size(64, 64)
        Accessible.ignored: true
    }
    Item {
        width: 1
        height: Theme.unit
    }
    Text {
        width: parent.width
        horizontalAlignment: Text.AlignHCenter
        text: qsTr("What is on your mind?")
        textFormat: Text.PlainText
        wrapMode: Text.Wrap
        color: Theme.text
        font.pixelSize: Theme.displaySize
        font.weight: Font.DemiBold
    }
    Text {
        width: parent.width
        horizontalAlignment: Text.AlignHCenter
        text: qsTr("Press Enter and it is safe on this computer, with or without a network.")
        textFormat: Text.PlainText
        wrapMode: Text.Wrap
        color: Theme.muted
        font.pixelSize: Theme.bodySize
        lineHeight: 1.3
    }
}
