"""Qt without a screen, chosen before any test imports Qt."""

import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"
os.environ["QT_QUICK_BACKEND"] = "software"
os.environ["QML_DISABLE_DISK_CACHE"] = "1"
# A slot without @Slot changes its class's metaobject while QML may hold the old one.
os.environ["QT_LOGGING_RULES"] = "qt.qpa.*=false;qt.pyside.libpyside.warning=true"
