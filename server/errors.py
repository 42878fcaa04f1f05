"""What can go wrong on the one-machine server, named by the remedy.

ServerError
├── NoPostgres            no usable PostgreSQL on this computer: install one or name a database
├── UnusableSetting       an option cannot work: give another value
├── UnusableCertificate   the TLS files are missing, no pair or expired: give others
├── CannotListen          the address is taken or not this machine's: choose another
├── KeysUnreadable        the server's keys can be neither read nor made
├── FolderUnusable        the server's folder is somebody else's, or cannot be used
├── NothingServed         there is no server's data in this folder: start one, or name another folder
├── BackupFailed          a backup could be neither made nor put back; everything is as before
├── AlreadyServing        another server holds this data directory
├── DatabaseUnavailable   PostgreSQL does not start or does not answer
└── MigrationFailed       the schema could not be brought up to date; the database is as before
"""


class ServerError(Exception):
    """Base of all errors of this package. `str()` is one line for people that ends in what to do."""


class NoPostgres(ServerError):
    """There is no PostgreSQL of a version that can run the server, or not the one that made the data."""


class UnusableSetting(ServerError):
    """An option of the command cannot work as it was given."""


class UnusableCertificate(ServerError):
    """The certificate and key cannot be served with."""


class CannotListen(ServerError):
    """The address is taken, not this machine's, or not allowed."""


class KeysUnreadable(ServerError):
    """The folder of the server's keys cannot be used."""


class FolderUnusable(ServerError):
    """The folder of the server's data is another user's, or does not let anybody work in it."""


class NothingServed(ServerError):
    """A command about a server found none in the data directory."""


class BackupFailed(ServerError):
    """A backup could not be made or restored; nothing was changed."""


class AlreadyServing(ServerError):
    """A second server was started on a data directory that is in use."""


class DatabaseUnavailable(ServerError):
    """The database does not start, does not answer or refuses the login."""


class MigrationFailed(ServerError):
    """A migration was refused by the database and rolled back."""
