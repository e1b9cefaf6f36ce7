//! Every route: what it is for, what it may be asked and what it answers.

use schemars::SchemaGenerator;

use super::route::{CommonAnswers, Route};
use super::{changes, formats, levels, market, older, operation, socket};

/// All routes. `generator` collects the schemas of their bodies.
pub(super) fn routes(generator: &mut SchemaGenerator) -> Vec<Route> {
    let common = CommonAnswers::new(generator);
    let mut routes = levels::states(generator, &common);
    routes.extend(levels::views(generator, &common));
    routes.extend(market::routes(generator, &common));
    routes.extend(older::routes(generator, &common));
    routes.extend(changes::alerts(generator, &common));
    routes.extend(changes::ingest(generator, &common));
    routes.extend(socket::routes(&common));
    routes.extend(operation::routes(generator, &common));
    routes.extend(formats::routes(generator));
    routes
}
