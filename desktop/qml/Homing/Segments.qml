pragma ComponentBehavior: Bound
import QtQuick

Column {
    id: root

    required property var segments
    required property QtObject viewModel

    spacing: 12

    Repeater {
        model: root.segments

        Loader {
            id: slot

            required property var modelData

            width: root.width
            sourceComponent: {
                switch (modelData.kind) {
                case "prose":
                case "plain":
                    return prose;
                case "code":
                    return code;
                case "reasoning":
                case "tool":
                    return fold;
                default:
                    return note;
                }
            }

            Component {
                id: prose

                SelectableText {
                    id: link

                    textFormat: slot.modelData.kind === "prose" ? TextEdit.RichText : TextEdit.PlainText
                    text: (slot.modelData.kind === "prose" ? "<style>a { color: " + Theme.accent + "; } p, li { line-height: 140%; } p, ul, ol, pre { margin-top: 0; margin-bottom: 8px; } ul, ol { -qt-list-indent: 1; } code, pre { font-family: monospace; }</style>" : "") + slot.modelData.text
                    Component.onCompleted: {
                        if (slot.modelData.kind === "plain")
                            root.viewModel.air(textDocument);
                    }
                    onLinkFollowed: href => root.viewModel.follow(href)

                    HoverHint {
                        text: link.hoveredLink ? root.viewModel.link_hint(link.hoveredLink) : ""
                        shown: true
                    }
                }
            }
            Component {
                id: code

                CodeSegment {
                    text: slot.modelData.text
                    language: slot.modelData.language
                    onCopied: root.viewModel.copy(text)
                }
            }
            Component {
                id: fold

                FoldSegment {
                    segment: slot.modelData
                }
            }
            Component {
                id: note

                NoteSegment {
                    segment: slot.modelData
                }
            }
        }
    }
}
