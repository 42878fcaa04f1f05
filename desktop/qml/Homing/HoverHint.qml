pragma ComponentBehavior: Bound
import QtQuick

Loader {
    id: root

    required property string text
    required property bool shown

    active: shown && text !== ""
    sourceComponent: AppToolTip {
        text: root.text
        visible: true
    }
}
