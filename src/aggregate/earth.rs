//! Distances on earth.

/// Mean radius of the earth, km (IUGG).
const EARTH_KM: f64 = 6_371.008_8;

/// Kilometres between two places, each latitude and longitude in degrees:
/// 2 R asin sqrt(sin²(Δφ/2) + cos φ₁ cos φ₂ sin²(Δλ/2)): Sinnott, "Virtues of the haversine" (1984).
pub fn great_circle_km(from: [f64; 2], to: [f64; 2]) -> f64 {
    let [lat, lon] = from.map(f64::to_radians);
    let [to_lat, to_lon] = to.map(f64::to_radians);
    let half = |angle: f64| (angle / 2.0).sin().powi(2);
    let share = half(to_lat - lat) + lat.cos() * to_lat.cos() * half(to_lon - lon);
    2.0 * EARTH_KM * share.min(1.0).sqrt().asin()
}
