"""The commands of `homing`, one subject a module; each opens the store, does one thing and says what it did."""
