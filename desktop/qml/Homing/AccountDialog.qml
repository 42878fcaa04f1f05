pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Layouts

AppDialog {
    id: root

    required property QtObject viewModel

    readonly property string _step: viewModel.step

    component Words: Text {
        Layout.fillWidth: true
        textFormat: Text.PlainText
        wrapMode: Text.Wrap
        lineHeight: 1.25
        color: Theme.muted
        font.pixelSize: Theme.smallSize + 1
    }

    function _focusStep(): void {
        switch (_step) {
        case "adoption":
            move.forceActiveFocus(Qt.TabFocusReason);
            break;
        case "signed-in":
            leave.forceActiveFocus(Qt.TabFocusReason);
            break;
        case "sign-out":
            cancel.forceActiveFocus(Qt.TabFocusReason);
            break;
        default:
            form.focusFirst();
        }
    }

    objectName: "accountDialog"
    title: {
        switch (_step) {
        case "adoption":
            return qsTr("You are signed in");
        case "signed-in":
            return qsTr("Account");
        case "sign-out":
            return qsTr("Sign out?");
        default:
            return qsTr("Sign in to sync");
        }
    }
    onAboutToShow: {
        viewModel.opened();
        form.fill();
    }
    onOpened: _focusStep()
    on_StepChanged: {
        if (opened)
            Qt.callLater(_focusStep);
    }

    Connections {
        target: root.viewModel

        function onFinished(): void {
            root.close();
        }
    }

    Words {
        objectName: "memoryNotice"
        visible: text !== "" && (root._step === "credentials" || root._step === "signed-in")
        color: Theme.amber
        text: root.viewModel.memoryNotice
    }
    CredentialsForm {
        id: form

        Layout.fillWidth: true
        visible: root._step === "credentials"
        viewModel: root.viewModel
    }
    Words {
        visible: root._step === "adoption"
        objectName: "adoptionQuestion"
        color: Theme.text
        text: root.viewModel.question
    }
    Words {
        visible: root._step === "adoption"
        text: qsTr("Moved chats are sent to your server and appear on all your devices. Chats that you keep here stay on this computer only.")
    }
    ColumnLayout {
        visible: root._step === "signed-in" || root._step === "sign-out"
        spacing: 4

        Text {
            Layout.fillWidth: true
            text: root.viewModel.email
            textFormat: Text.PlainText
            elide: Text.ElideMiddle
            color: Theme.text
            font.pixelSize: Theme.bodySize
            font.weight: Font.Medium
        }
        Words {
            text: root.viewModel.server
            wrapMode: Text.WrapAnywhere
            font.pixelSize: Theme.smallSize
        }
    }
    Words {
        visible: root._step === "sign-out"
        text: root.viewModel.consequence
    }
    Words {
        objectName: "accountStepError"
        visible: root._step !== "credentials" && text !== ""
        color: Theme.red
        text: root.viewModel.error
    }
    RowLayout {
        Layout.topMargin: 8
        visible: root._step === "adoption"
        spacing: 12

        AppButton {
            id: move

            objectName: "adoptButton"
            Layout.fillWidth: true
            Layout.preferredWidth: 1
            primary: true
            busy: root.viewModel.busy
            enabled: !busy
            text: qsTr("Move")
            onClicked: root.viewModel.adopt()
        }
        AppButton {
            objectName: "keepHereButton"
            Layout.fillWidth: true
            Layout.preferredWidth: 1
            enabled: !root.viewModel.busy
            text: qsTr("Keep here")
            onClicked: root.viewModel.keep_here()
        }
    }
    RowLayout {
        Layout.topMargin: 8
        visible: root._step === "signed-in"
        spacing: 12

        AppButton {
            objectName: "adoptLaterButton"
            Layout.fillWidth: true
            Layout.preferredWidth: 1
            visible: root.viewModel.unadopted > 0
            enabled: !root.viewModel.busy
            text: root.viewModel.adoptLabel
            onClicked: root.viewModel.adopt()
        }
        AppButton {
            id: leave

            objectName: "signOutButton"
            Layout.fillWidth: true
            Layout.preferredWidth: 1
            text: qsTr("Sign out…")
            onClicked: root.viewModel.ask_sign_out()
        }
    }
    RowLayout {
        Layout.topMargin: 8
        visible: root._step === "sign-out"
        spacing: 12

        AppButton {
            id: cancel

            Layout.fillWidth: true
            Layout.preferredWidth: 1
            enabled: !root.viewModel.busy
            text: qsTr("Stay signed in")
            onClicked: root.viewModel.stay()
        }
        AppButton {
            objectName: "confirmSignOutButton"
            Layout.fillWidth: true
            Layout.preferredWidth: 1
            danger: true
            busy: root.viewModel.busy
            enabled: !busy
            text: qsTr("Sign out")
            onClicked: root.viewModel.sign_out()
        }
    }
}
