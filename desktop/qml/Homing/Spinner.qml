import QtQuick

Icon {
    id: root

    property bool running: true

    icon: "sync"

    RotationAnimator on rotation {
        running: root.running && root.visible
        from: 0
        to: 360
        duration: 1200
        loops: Animation.Infinite
    }
}
