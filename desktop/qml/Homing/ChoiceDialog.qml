pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Controls.Basic
import QtQuick.Layouts

AppDialog {
    id: root

    required property QtObject viewModel

    component Version: Rectangle {
        id: version

        required property string heading
        required property string when
        required property string words
        required property string effect
        required property string choice
        required property string name

        signal chosen

        Layout.fillWidth: true
        Layout.fillHeight: true
        Layout.preferredWidth: 1
        implicitHeight: column.implicitHeight + 32
        radius: Theme.radius + 4
        color: Theme.dark ? Theme.background : Theme.sidebar
        border.color: Theme.border
        Accessible.role: Accessible.Grouping
        Accessible.name: heading

        ColumnLayout {
            id: column

            anchors.fill: parent
            anchors.margins: 16
            spacing: 10

            Text {
                Layout.fillWidth: true
                text: version.heading
                textFormat: Text.PlainText
                wrapMode: Text.Wrap
                color: Theme.text
                font.pixelSize: Theme.smallSize
                font.weight: Font.DemiBold
            }
            Text {
                Layout.fillWidth: true
                Layout.topMargin: -6
                text: version.when
                textFormat: Text.PlainText
                wrapMode: Text.Wrap
                color: Theme.muted
                font.pixelSize: Theme.captionSize
            }
            ScrollView {
                id: scroll

                Layout.fillWidth: true
                Layout.fillHeight: true
                Layout.preferredHeight: Math.min(220, shown.implicitHeight)
                contentWidth: availableWidth
                activeFocusOnTab: shown.implicitHeight > height
                background: FocusRing {
                    shown: scroll.visualFocus
                }

                SelectableText {
                    id: shown

                    objectName: version.name + "Text"
                    width: scroll.availableWidth
                    text: version.words
                    Accessible.name: version.heading + ": " + text
                }
            }
            Text {
                Layout.fillWidth: true
                text: version.effect
                textFormat: Text.PlainText
                wrapMode: Text.Wrap
                color: Theme.muted
                font.pixelSize: Theme.captionSize
            }
            AppButton {
                Layout.fillWidth: true
                objectName: version.name + "Button"
                enabled: !root.viewModel.busy
                text: version.choice
                Accessible.description: version.effect
                onClicked: version.chosen()
            }
        }
    }

    objectName: "choiceDialog"
    title: qsTr("Two texts for one message")
    width: Math.min(760, (Overlay.overlay?.width ?? 760) - Theme.unit * 4)
    onOpened: later.forceActiveFocus(Qt.TabFocusReason)

    Connections {
        target: root.viewModel

        function onFinished(): void {
            root.close();
        }
    }

    Text {
        Layout.fillWidth: true
        text: qsTr("This computer and the server hold different texts under the same message. Both are kept until you choose.")
        textFormat: Text.PlainText
        wrapMode: Text.Wrap
        lineHeight: 1.25
        color: Theme.muted
        font.pixelSize: Theme.smallSize + 1
    }
    GridLayout {
        Layout.fillWidth: true
        columns: root.width < 560 ? 1 : 2
        columnSpacing: 12
        rowSpacing: 12

        Version {
            name: "keepMine"
            heading: qsTr("Yours, on this computer")
            when: root.viewModel.mineWhen
            words: root.viewModel.mine
            effect: qsTr("Goes out as a message of its own. The server's text stays too.")
            choice: qsTr("Keep mine")
            onChosen: root.viewModel.keep_mine()
        }
        Version {
            name: "keepTheirs"
            heading: qsTr("On the server")
            when: root.viewModel.theirsWhen
            words: root.viewModel.theirs
            effect: qsTr("Takes the place of yours, which is deleted here.")
            choice: qsTr("Keep the server's")
            onChosen: root.viewModel.keep_theirs()
        }
    }
    Text {
        objectName: "choiceError"
        Layout.fillWidth: true
        visible: text !== ""
        text: root.viewModel.error
        textFormat: Text.PlainText
        wrapMode: Text.Wrap
        color: Theme.red
        font.pixelSize: Theme.smallSize
        Accessible.role: Accessible.AlertMessage
        Accessible.name: text
    }
    AppButton {
        id: later

        Layout.alignment: Qt.AlignRight
        objectName: "decideLaterButton"
        flat_: true
        text: qsTr("Decide later")
        onClicked: root.close()
    }
}
