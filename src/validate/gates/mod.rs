//! Gates: what a record meets between the rules and the cleaning.
