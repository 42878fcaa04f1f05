pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Layouts

AppDialog {
    id: root

    required property QtObject viewModel

    readonly property string _step: viewModel.step
    property bool _sealing: false

    component Words: Text {
        Layout.fillWidth: true
        textFormat: Text.PlainText
        wrapMode: Text.Wrap
        lineHeight: 1.25
        color: Theme.muted
        font.pixelSize: Theme.smallSize + 1
    }
    component Choice: AppButton {
        Layout.fillWidth: true
        Layout.preferredWidth: 1
        enabled: !root.viewModel.busy
    }

    function _focusStep(): void {
        switch (_step) {
        case "adoption":
            move.forceActiveFocus(Qt.TabFocusReason);
            break;
        case "accounts":
            list.focusFirst();
            break;
        case "sign-out":
            cancel.forceActiveFocus(Qt.TabFocusReason);
            break;
        case "unsent":
            sendFirst.forceActiveFocus(Qt.TabFocusReason);
            break;
        case "gone":
            keep.forceActiveFocus(Qt.TabFocusReason);
            break;
        default:
            form.focusFirst();
        }
    }

    objectName: "accountDialog"
    title: viewModel.title
    onAboutToShow: viewModel.opened()
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
        function onRefilled(): void {
            form.fill();
            if (root.opened)
                Qt.callLater(root._focusStep);
        }
    }

    Words {
        objectName: "memoryNotice"
        visible: text !== "" && (root._step === "credentials" || root._step === "accounts")
        color: Theme.amber
        text: root.viewModel.memoryNotice
    }
    CredentialsForm {
        id: form

        Layout.fillWidth: true
        visible: root._step === "credentials"
        viewModel: root.viewModel
    }
    AppButton {
        objectName: "backButton"
        Layout.fillWidth: true
        Layout.topMargin: -8
        visible: root._step === "credentials" && root.viewModel.canGoBack
        flat_: true
        enabled: !root.viewModel.busy
        text: qsTr("Other accounts")
        onClicked: root.viewModel.back()
    }
    Words {
        visible: root._step === "adoption"
        objectName: "adoptionQuestion"
        color: Theme.text
        text: qsTr("Which chats on this computer shall move into your account?")
    }
    AdoptionList {
        Layout.fillWidth: true
        visible: root._step === "adoption"
        enabled: !root.viewModel.busy
        model: root.viewModel.adoption
    }
    Words {
        visible: root._step === "adoption"
        font.pixelSize: Theme.smallSize
        text: qsTr("Moved chats are sent to your server and appear on all your devices. The others stay on this computer only; you can move them later.")
    }
    AccountList {
        id: list

        Layout.fillWidth: true
        visible: root._step === "accounts"
        viewModel: root.viewModel
    }
    Words {
        visible: root._step === "sign-out"
        color: Theme.text
        font.weight: Font.Medium
        text: root.viewModel.email
        wrapMode: Text.WrapAnywhere
    }
    Words {
        objectName: "consequence"
        visible: root._step === "sign-out"
        text: root.viewModel.consequence
    }
    Words {
        objectName: "unsentWords"
        visible: root._step === "unsent"
        text: qsTr("The server cannot be reached or did not take everything. What is kept here stays sealed on this computer and goes out when %1 signs in again.").arg(root.viewModel.email)
    }
    Words {
        objectName: "goneWords"
        visible: root._step === "gone"
        text: qsTr("The server does not know %1 any more. Nothing on this computer is lost: keep the chats here, and move them into another account whenever you like.").arg(root.viewModel.email)
    }
    Words {
        objectName: "accountStepError"
        visible: root._step !== "credentials" && text !== ""
        color: Theme.red
        text: root.viewModel.error
        Accessible.role: Accessible.AlertMessage
        Accessible.name: text
    }
    RowLayout {
        Layout.topMargin: 8
        visible: root._step === "adoption"
        spacing: 12

        Choice {
            objectName: "keepHereButton"
            text: qsTr("Keep all here")
            onClicked: root.viewModel.keep_here()
        }
        Choice {
            id: move

            objectName: "adoptButton"
            primary: true
            busy: root.viewModel.busy
            enabled: !busy && root.viewModel.adoption.chosenCount > 0
            text: root.viewModel.adoption.moveLabel
            onClicked: root.viewModel.adopt()
        }
    }
    ColumnLayout {
        visible: root._step === "accounts"
        spacing: 8

        AppButton {
            objectName: "adoptLaterButton"
            Layout.fillWidth: true
            visible: root.viewModel.unadopted > 0
            enabled: !root.viewModel.busy
            text: root.viewModel.adoptLabel
            onClicked: root.viewModel.ask_adoption()
        }
        AppButton {
            objectName: "addAccountButton"
            Layout.fillWidth: true
            enabled: !root.viewModel.busy
            text: qsTr("Add another account…")
            onClicked: root.viewModel.add()
        }
        AppButton {
            objectName: "signOutButton"
            Layout.fillWidth: true
            visible: root.viewModel.signedIn
            enabled: !root.viewModel.busy
            flat_: true
            text: qsTr("Sign out…")
            onClicked: root.viewModel.ask_sign_out()
        }
    }
    RowLayout {
        Layout.topMargin: 8
        visible: root._step === "sign-out"
        spacing: 12

        Choice {
            id: cancel

            text: qsTr("Stay signed in")
            onClicked: root.viewModel.back()
        }
        Choice {
            objectName: "confirmSignOutButton"
            danger: true
            busy: root.viewModel.busy
            text: qsTr("Sign out")
            onClicked: root.viewModel.sign_out()
        }
    }
    ColumnLayout {
        Layout.topMargin: 4
        visible: root._step === "unsent"
        spacing: 8

        AppButton {
            id: sendFirst

            objectName: "syncAndSignOutButton"
            Layout.fillWidth: true
            primary: true
            busy: root.viewModel.busy && !root._sealing
            enabled: !root.viewModel.busy
            text: qsTr("Sync now, then sign out")
            onClicked: {
                root._sealing = false;
                root.viewModel.sign_out();
            }
        }
        AppButton {
            objectName: "sealButton"
            Layout.fillWidth: true
            busy: root.viewModel.busy && root._sealing
            enabled: !root.viewModel.busy
            text: qsTr("Sign out and keep them sealed here")
            onClicked: {
                root._sealing = true;
                root.viewModel.seal();
            }
        }
        AppButton {
            objectName: "cancelSignOutButton"
            Layout.fillWidth: true
            flat_: true
            enabled: !root.viewModel.busy
            text: qsTr("Cancel")
            onClicked: root.viewModel.back()
        }
    }
    ColumnLayout {
        Layout.topMargin: 4
        visible: root._step === "gone"
        spacing: 8

        AppButton {
            id: keep

            objectName: "releaseButton"
            Layout.fillWidth: true
            primary: true
            busy: root.viewModel.busy
            enabled: !busy
            text: qsTr("Keep the chats on this computer")
            onClicked: root.viewModel.release()
        }
        AppButton {
            Layout.fillWidth: true
            flat_: true
            enabled: !root.viewModel.busy
            text: qsTr("Other accounts")
            onClicked: root.viewModel.back()
        }
    }
}
