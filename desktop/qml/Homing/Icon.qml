import QtQuick
import QtQuick.Controls.impl as Impl

Impl.IconImage {
    required property string icon

    property int size: 18

    width: size
    height: size
    sourceSize: Qt.size(size, size)
    source: icon ? Theme.icon(icon) : ""
    color: Theme.muted
    Accessible.ignored: true
}
