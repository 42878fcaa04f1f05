import QtQuick

TextEdit {
    id: root

    signal linkFollowed(href: string)

    readOnly: true
    selectByMouse: true
    selectByKeyboard: true
    activeFocusOnPress: true
    persistentSelection: false
    textFormat: TextEdit.PlainText
    wrapMode: TextEdit.Wrap
    color: Theme.text
    selectionColor: Theme.selection
    selectedTextColor: Theme.text
    font.pixelSize: Theme.bodySize
    onLinkActivated: link => linkFollowed(link)

    HoverHandler {
        enabled: root.hoveredLink !== ""
        cursorShape: Qt.PointingHandCursor
    }
}
