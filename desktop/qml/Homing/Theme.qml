pragma Singleton
import QtQuick

QtObject {
    property bool dark: false
    property url iconFolder

    readonly property color background: dark ? "#1b1c20" : "#ffffff"
    readonly property color sidebar: dark ? "#141519" : "#f6f6f8"
    readonly property color raised: dark ? "#24262d" : "#ffffff"
    readonly property color border: dark ? "#30323b" : "#e2e2e8"
    readonly property color fieldBorder: dark ? "#6b6e7b" : "#8a8a96"
    readonly property color text: dark ? "#e9e9ee" : "#1a1b20"
    readonly property color muted: dark ? "#a3a4b0" : "#5c5d68"
    readonly property color accent: dark ? "#8babff" : "#3557c0"
    readonly property color accentHover: dark ? "#a3bcff" : "#2c4aa8"
    readonly property color accentPressed: dark ? "#7597f0" : "#243f92"
    readonly property color accentInk: dark ? "#10131c" : "#ffffff"
    readonly property color bubble: dark ? "#2b2e3a" : "#ecf0fb"
    readonly property color code: dark ? "#141519" : "#f6f6f8"
    readonly property color hover: dark ? "#23252c" : "#ececf1"
    readonly property color pressed: dark ? "#2c2f38" : "#dfdfe7"
    readonly property color selected: dark ? "#2a2e3c" : "#dfe5f6"
    readonly property color selection: dark ? "#3d5494" : "#bfd0fb"
    readonly property color amber: dark ? "#f0b45f" : "#875600"
    readonly property color amberBack: dark ? "#362b1c" : "#fdf3e0"
    readonly property color red: dark ? "#ff9188" : "#b3261e"
    readonly property color redBack: dark ? "#3a2223" : "#fdeceb"
    readonly property color scrim: dark ? "#8c000000" : "#66101018"

    readonly property int unit: 8
    readonly property int radius: 8
    readonly property int control: 36
    readonly property int column: 760

    readonly property int captionSize: 12
    readonly property int smallSize: 13
    readonly property int bodySize: 15
    readonly property int titleSize: 16
    readonly property int displaySize: 24

    readonly property int quick: 120
    readonly property int calm: 200

    function tone(name: string): color {
        switch (name) {
        case "amber":
            return amber;
        case "red":
            return red;
        default:
            return muted;
        }
    }

    function icon(name: string): url {
        return iconFolder + "/" + name + ".svg";
    }
}
