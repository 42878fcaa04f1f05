import QtQuick
import QtQuick.Controls.Basic

Menu {
    id: root

    padding: 4
    popupType: Popup.Item
    delegate: AppMenuItem {}

    background: Rectangle {
        implicitWidth: 200
        color: Theme.raised
        border.color: Theme.border
        radius: Theme.radius
    }
}
