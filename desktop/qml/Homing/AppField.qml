import QtQuick
import QtQuick.Controls.Basic

TextField {
    id: root

    property bool invalid: false

    implicitHeight: 40
    leftPadding: 12
    rightPadding: 12
    verticalAlignment: TextInput.AlignVCenter
    color: Theme.text
    placeholderTextColor: Theme.muted
    selectionColor: Theme.selection
    selectedTextColor: Theme.text
    font.pixelSize: Theme.bodySize - 1
    selectByMouse: true

    background: Rectangle {
        radius: Theme.radius
        color: Theme.background
        border.width: root.activeFocus ? 2 : 1
        border.color: root.activeFocus ? Theme.accent : root.invalid ? Theme.red : Theme.fieldBorder
    }
}
