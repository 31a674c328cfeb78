/**
 * The Java client of Postrider: {@link postrider.PostriderClient}, around the code that is generated from the API into {@code postrider.v1}.
 */
package postrider;
