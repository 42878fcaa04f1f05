import QtQuick

Row {
    id: root

    required property var segment

    readonly property string _words: {
        switch (segment.kind) {
        case "file":
            return segment.text || qsTr("A file");
        case "status":
            return segment.text || segment.code;
        default:
            return qsTr("Something this version cannot show (%1)").arg(segment.text);
        }
    }

    spacing: 8

    Icon {
        y: 1
        icon: root.segment.kind === "file" ? "file" : "alert"
        size: 15
    }
    Text {
        width: root.width - 23
        text: root._words
        textFormat: Text.PlainText
        wrapMode: Text.Wrap
        color: Theme.muted
        font.pixelSize: Theme.smallSize
    }
}
