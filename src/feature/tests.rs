//! Lists of features, and each component against scikit-learn's and the calendar's definition.
