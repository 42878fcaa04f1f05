pragma ComponentBehavior: Bound
import QtQuick
import QtQuick.Controls.Basic
import QtQuick.Layouts

ColumnLayout {
    id: root

    required property QtObject viewModel

    component Label: Text {
        Layout.bottomMargin: -2
        textFormat: Text.PlainText
        color: Theme.text
        font.pixelSize: Theme.smallSize
        font.weight: Font.Medium
        Accessible.ignored: true
    }

    function fill(): void {
        address.text = viewModel.server || address.text;
        key.text = viewModel.key || key.text;
        email.text = viewModel.enteredEmail || (viewModel.server ? "" : email.text);
        password.clear();
        shown.checked = false;
    }

    function focusFirst(): void {
        const fields = [address, key, email, password];
        if (!fields.some(field => field.activeFocus))
            (fields.find(field => !field.text) ?? password).forceActiveFocus(Qt.TabFocusReason);
    }

    function submit(): void {
        if (!viewModel.busy)
            viewModel.sign_in(address.text, key.text, email.text, password.text);
    }

    spacing: 8
    enabled: true

    Label {
        text: qsTr("Server address")
    }
    AppField {
        id: address

        objectName: "serverField"
        Layout.fillWidth: true
        placeholderText: "https://…"
        inputMethodHints: Qt.ImhUrlCharactersOnly | Qt.ImhNoPredictiveText
        readOnly: root.viewModel.busy
        Accessible.name: qsTr("Server address")
        onAccepted: key.forceActiveFocus(Qt.TabFocusReason)
    }
    Label {
        Layout.topMargin: 8
        text: qsTr("Publishable key")
    }
    AppField {
        id: key

        objectName: "keyField"
        Layout.fillWidth: true
        placeholderText: "sb_publishable_…"
        inputMethodHints: Qt.ImhNoPredictiveText | Qt.ImhNoAutoUppercase
        readOnly: root.viewModel.busy
        Accessible.name: qsTr("Publishable key")
        onAccepted: email.forceActiveFocus(Qt.TabFocusReason)
    }
    Label {
        Layout.topMargin: 8
        text: qsTr("E-mail")
    }
    AppField {
        id: email

        objectName: "emailField"
        Layout.fillWidth: true
        inputMethodHints: Qt.ImhEmailCharactersOnly
        readOnly: root.viewModel.busy
        Accessible.name: qsTr("E-mail")
        onAccepted: password.forceActiveFocus(Qt.TabFocusReason)
    }
    Label {
        Layout.topMargin: 8
        text: qsTr("Password")
    }
    AppField {
        id: password

        objectName: "passwordField"
        Layout.fillWidth: true
        rightPadding: 44
        echoMode: shown.checked ? TextInput.Normal : TextInput.Password
        inputMethodHints: Qt.ImhSensitiveData | Qt.ImhNoPredictiveText | Qt.ImhHiddenText
        readOnly: root.viewModel.busy
        Accessible.name: qsTr("Password")
        Accessible.passwordEdit: !shown.checked
        onAccepted: root.submit()

        IconButton {
            id: shown

            objectName: "showPasswordButton"
            anchors.right: parent.right
            anchors.rightMargin: 4
            anchors.verticalCenter: parent.verticalCenter
            checkable: true
            iconName: checked ? "eye-off" : "eye"
            text: checked ? qsTr("Hide password") : qsTr("Show password")
        }
    }
    RowLayout {
        Layout.topMargin: 4
        visible: root.viewModel.error !== ""
        spacing: 8

        Icon {
            Layout.alignment: Qt.AlignTop
            icon: "alert"
            color: Theme.red
            size: 16
        }
        Text {
            objectName: "accountError"
            Layout.fillWidth: true
            text: root.viewModel.error
            textFormat: Text.PlainText
            wrapMode: Text.Wrap
            color: Theme.red
            font.pixelSize: Theme.smallSize
            Accessible.role: Accessible.AlertMessage
            Accessible.name: text
        }
    }
    AppButton {
        Layout.fillWidth: true
        Layout.topMargin: 12
        implicitHeight: 40
        objectName: "signInButton"
        primary: true
        busy: root.viewModel.busy
        enabled: !busy
        text: qsTr("Sign in")
        onClicked: root.submit()
    }
    AppButton {
        Layout.fillWidth: true
        implicitHeight: 40
        objectName: "signUpButton"
        enabled: !root.viewModel.busy
        flat_: true
        text: qsTr("Create account")
        onClicked: root.viewModel.sign_up(address.text, key.text, email.text, password.text)
    }
}
