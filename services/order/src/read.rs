//! The read side: what is told about orders, customers, stock and sales, folded from the topics of all contexts into
//! tables of a database of their own. Separate from the write side, which never looks at it.

use std::sync::Arc;

use backstitch_event_store::EventStore;
use backstitch_participant::published;
use backstitch_projection::admin::Admin;
use backstitch_projection::{InstallError, StoreSource};

use crate::handlers::{CATEGORY, Orders};

mod customers;
mod orders;
mod queries;
mod sales;
mod stock;
#[cfg(test)]
mod stories;

pub use customers::CustomerTotal;
pub use orders::{OrderLine, OrderRow, OrdersModel};
pub use queries::{OrderFilter, PgQueries, Place, Queries, QueryError, SalesFilter, SalesRow, StockRow};
pub use sales::{SaleKey, SalesModel};
pub use stock::StockModel;

/// Makes the first version of each read model, where there is none yet.
///
/// # Errors
/// If the database does not answer, or its tables are not made yet.
pub async fn install(pool: &sqlx::PgPool) -> Result<(), InstallError> {
    backstitch_projection::install(&OrdersModel, pool).await?;
    backstitch_projection::install(&StockModel, pool).await?;
    backstitch_projection::install(&SalesModel, pool).await
}

/// The store behind `orders.events`, which the read models may read in place of the topic.
#[must_use]
pub fn own_store(store: Arc<dyn EventStore>) -> StoreSource {
    StoreSource {
        store,
        categories: vec![CATEGORY],
        shares: StoreSource::SHARES,
        published: Arc::new(published::<Orders>),
    }
}

/// All read models, in this database.
///
/// # Errors
/// Never with these names.
pub fn models(pool: sqlx::PgPool) -> Result<Admin, InstallError> {
    Admin::new(pool).with(OrdersModel)?.with(StockModel)?.with(SalesModel)
}
